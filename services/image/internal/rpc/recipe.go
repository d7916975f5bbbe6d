package rpc

import (
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/recipe"
)

// RecipeFromProto reads a recipe. Path is where it stands in the request, for example "recipe"; "" at the top.
// Fails with fault.Invalid, reason BAD_RECIPE, and all faults at once, under paths like
// "recipe.variants[0].operations[1].resize.mode". No recipe at all is one without variants, which is a fault too.
func RecipeFromProto(path string, p *imagev1.Recipe) (recipe.Recipe, error) {
	r, err := VariantsFromProto(path, p.GetVariants())
	if err == nil {
		err = digestsRefused(path, r)
	}
	return r, err
}

// VariantsFromProto reads variants as RecipeFromProto does, where they stand in no recipe and come from a node of ours: overlays are
// named by digests.
func VariantsFromProto(path string, ps []*imagev1.Variant) (recipe.Recipe, error) {
	var r recipe.Recipe
	for _, p := range ps {
		r.Variants = append(r.Variants, variantFromProto(p))
	}
	fields := r.Check()
	if len(fields) == 0 {
		return r, nil
	}
	if path != "" {
		for i := range fields {
			fields[i].Path = path + "." + fields[i].Path
		}
	}
	return recipe.Recipe{}, &fault.Error{Kind: fault.Invalid, Reason: "BAD_RECIPE", Message: "the recipe is wrong", Fields: fields}
}

// variantFromProto translates; what is wrong stays wrong for Check to find.
func variantFromProto(p *imagev1.Variant) recipe.Variant {
	v := recipe.Variant{Name: p.GetName(), Widths: toInts(p.GetWidths())}
	for _, op := range p.GetOperations() {
		v.Steps = append(v.Steps, stepFromProto(op))
	}
	if out := p.GetOutput(); out != nil {
		v.Output = recipe.Output{
			Format:       recipe.Format(out.GetFormat()),
			Quality:      int(out.GetQuality()),
			KeepMetadata: out.GetKeepMetadata(),
			Background:   recipe.Color(out.GetBackground()),
			Lossless:     out.GetLossless(),
			Progressive:  out.GetProgressive(),
			Palette:      out.GetPalette(),
			Chroma:       recipe.Chroma(out.GetChroma()),
			Page:         int(out.GetPage()),
			StripProfile: out.GetStripProfile(),
			Scaling:      recipe.Scaling(out.GetScaling()),
			Space:        recipe.Space(out.GetColorSpace()),
			AutoQuality:  recipe.Target(out.GetAutoQuality()),
			MaxBytes:     out.GetMaxBytes(),
		}
	}
	return v
}

func stepFromProto(op *imagev1.Operation) recipe.Step {
	switch op := op.GetOp().(type) {
	case *imagev1.Operation_Resize:
		r := op.Resize
		return recipe.Resize{
			Mode: recipe.Mode(r.GetMode()), Width: int(r.GetWidth()), Height: int(r.GetHeight()),
			Gravity: recipe.Gravity(r.GetGravity()), Background: recipe.Color(r.GetBackground()),
			Focus: pointFromProto(r.GetFocus()), Boxes: boxesFromProto(r.GetBoxes()), X: int(r.GetX()), Y: int(r.GetY()),
		}
	case *imagev1.Operation_Crop:
		c := op.Crop
		return recipe.Crop{
			Width: int(c.GetWidth()), Height: int(c.GetHeight()), Gravity: recipe.Gravity(c.GetGravity()), X: int(c.GetX()), Y: int(c.GetY()),
			Focus: pointFromProto(c.GetFocus()), Boxes: boxesFromProto(c.GetBoxes()),
		}
	case *imagev1.Operation_Rotate:
		return recipe.Rotate{Angle: int(op.Rotate.GetAngle())}
	case *imagev1.Operation_Flip:
		d := op.Flip.GetDirection()
		return recipe.Flip{Horizontal: d == "horizontal" || d == "both", Vertical: d == "vertical" || d == "both"}
	case *imagev1.Operation_Blur:
		return recipe.Blur{Sigma: op.Blur.GetSigma(), Region: regionFromProto(op.Blur.GetRegion())}
	case *imagev1.Operation_Sharpen:
		return recipe.Sharpen{Sigma: op.Sharpen.GetSigma()}
	case *imagev1.Operation_Adjust:
		a := op.Adjust
		return recipe.Adjust{Effect: recipe.Effect(a.GetEffect()), Amount: a.GetAmount(), Color: recipe.Color(a.GetColor()), Light: recipe.Color(a.GetLight()),
			Red: a.GetRed(), Green: a.GetGreen(), Blue: a.GetBlue()}
	case *imagev1.Operation_Pixelate:
		return recipe.Pixelate{Size: int(op.Pixelate.GetSize()), Region: regionFromProto(op.Pixelate.GetRegion())}
	case *imagev1.Operation_Frame:
		return frameFromProto(op.Frame)
	case *imagev1.Operation_Trim:
		return recipe.Trim{Tolerance: int(op.Trim.GetTolerance())}
	case *imagev1.Operation_Gradient:
		return gradientFromProto(op.Gradient)
	case *imagev1.Operation_Convolve:
		return recipe.Convolve{Matrix: op.Convolve.GetMatrix(), Normalize: op.Convolve.GetNormalize()}
	case *imagev1.Operation_Overlay:
		return overlayFromProto(op.Overlay)
	}
	return nil
}

func pointFromProto(p *imagev1.Point) recipe.Point {
	return recipe.Point{X: p.GetX(), Y: p.GetY(), Pixels: p.GetPixels()}
}

func pointToProto(p recipe.Point) *imagev1.Point {
	if p == (recipe.Point{}) {
		return nil
	}
	return &imagev1.Point{X: p.X, Y: p.Y, Pixels: p.Pixels}
}

// frameFromProto takes one radius for all four; another number of them stays wrong for Check to find.
func frameFromProto(p *imagev1.Frame) recipe.Frame {
	f := recipe.Frame{Round: p.GetRound(), Border: int(p.GetBorder()), Ink: recipe.Color(p.GetInk())}
	radii := p.GetRadii()
	for i := range f.Radii {
		switch len(radii) {
		case 0:
		case 1:
			f.Radii[i] = int(radii[0])
		case len(f.Radii):
			f.Radii[i] = int(radii[i])
		default:
			f.Radii[i] = -1
		}
	}
	return f
}

// RecipeToProto writes a recipe that Check finds right.
func RecipeToProto(r recipe.Recipe) *imagev1.Recipe {
	p := &imagev1.Recipe{}
	for _, v := range r.Variants {
		p.Variants = append(p.Variants, VariantToProto(v))
	}
	return p
}

// VariantToProto writes one variant, named or not.
func VariantToProto(v recipe.Variant) *imagev1.Variant {
	p := &imagev1.Variant{Name: v.Name, Widths: toInt32s(v.Widths), Output: &imagev1.Output{
		Format:       string(v.Output.Format),
		Quality:      int32(v.Output.Quality),
		KeepMetadata: v.Output.KeepMetadata,
		Background:   string(v.Output.Background),
		Lossless:     v.Output.Lossless,
		Progressive:  v.Output.Progressive,
		Palette:      v.Output.Palette,
		Chroma:       string(v.Output.Chroma),
		Page:         int32(v.Output.Page),
		StripProfile: v.Output.StripProfile,
		Scaling:      string(v.Output.Scaling),
		ColorSpace:   string(v.Output.Space),
		AutoQuality:  string(v.Output.AutoQuality),
		MaxBytes:     v.Output.MaxBytes,
	}}
	for _, s := range v.Steps {
		p.Operations = append(p.Operations, stepToProto(s))
	}
	return p
}

func stepToProto(s recipe.Step) *imagev1.Operation {
	switch s := s.(type) {
	case recipe.Resize:
		return &imagev1.Operation{Op: &imagev1.Operation_Resize{Resize: &imagev1.Resize{
			Mode: string(s.Mode), Width: int32(s.Width), Height: int32(s.Height), Gravity: string(s.Gravity), Background: string(s.Background),
			Focus: pointToProto(s.Focus), Boxes: boxesToProto(s.Boxes), X: int32(s.X), Y: int32(s.Y),
		}}}
	case recipe.Crop:
		return &imagev1.Operation{Op: &imagev1.Operation_Crop{Crop: &imagev1.Crop{
			Width: int32(s.Width), Height: int32(s.Height), Gravity: string(s.Gravity), X: int32(s.X), Y: int32(s.Y),
			Focus: pointToProto(s.Focus), Boxes: boxesToProto(s.Boxes),
		}}}
	case recipe.Rotate:
		return &imagev1.Operation{Op: &imagev1.Operation_Rotate{Rotate: &imagev1.Rotate{Angle: int32(s.Angle)}}}
	case recipe.Flip:
		direction := "horizontal"
		if s.Horizontal && s.Vertical {
			direction = "both"
		} else if s.Vertical {
			direction = "vertical"
		}
		return &imagev1.Operation{Op: &imagev1.Operation_Flip{Flip: &imagev1.Flip{Direction: direction}}}
	case recipe.Blur:
		return &imagev1.Operation{Op: &imagev1.Operation_Blur{Blur: &imagev1.Blur{Sigma: s.Sigma, Region: regionToProto(s.Region)}}}
	case recipe.Sharpen:
		return &imagev1.Operation{Op: &imagev1.Operation_Sharpen{Sharpen: &imagev1.Sharpen{Sigma: s.Sigma}}}
	case recipe.Adjust:
		return &imagev1.Operation{Op: &imagev1.Operation_Adjust{Adjust: &imagev1.Adjust{
			Effect: string(s.Effect), Amount: s.Amount, Color: string(s.Color), Light: string(s.Light), Red: s.Red, Green: s.Green, Blue: s.Blue,
		}}}
	case recipe.Pixelate:
		return &imagev1.Operation{Op: &imagev1.Operation_Pixelate{Pixelate: &imagev1.Pixelate{Size: int32(s.Size), Region: regionToProto(s.Region)}}}
	case recipe.Frame:
		f := &imagev1.Frame{Round: s.Round, Border: int32(s.Border), Ink: string(s.Ink)}
		if s.Radii != [4]int{} {
			for _, r := range s.Radii {
				f.Radii = append(f.Radii, int32(r))
			}
		}
		return &imagev1.Operation{Op: &imagev1.Operation_Frame{Frame: f}}
	case recipe.Trim:
		return &imagev1.Operation{Op: &imagev1.Operation_Trim{Trim: &imagev1.Trim{Tolerance: int32(s.Tolerance)}}}
	case recipe.Gradient:
		return &imagev1.Operation{Op: &imagev1.Operation_Gradient{Gradient: gradientToProto(s)}}
	case recipe.Convolve:
		return &imagev1.Operation{Op: &imagev1.Operation_Convolve{Convolve: &imagev1.Convolve{Matrix: s.Matrix, Normalize: s.Normalize}}}
	case recipe.Overlay:
		return &imagev1.Operation{Op: &imagev1.Operation_Overlay{Overlay: overlayToProto(s)}}
	}
	return &imagev1.Operation{}
}

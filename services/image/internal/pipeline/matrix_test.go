package pipeline

import (
	"os"
	"path/filepath"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// everyStep holds each operation in each of its kinds, after a size that makes all of them cheap.
func everyStep() []recipe.Step {
	steps := []recipe.Step{
		recipe.Rotate{Angle: 90}, recipe.Flip{Vertical: true}, recipe.Blur{Sigma: 2}, recipe.Sharpen{Sigma: 1}, recipe.Trim{},
		recipe.Crop{Width: 20, Height: 9, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 0.9, Y: 0.2}},
		recipe.Resize{Mode: recipe.Fill, Width: 20, Height: 40, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 3, Y: 2, Pixels: true}},
		recipe.Resize{Mode: recipe.Fill, Width: 20, Height: 40, Gravity: recipe.Auto},
		recipe.Resize{Mode: recipe.Pad, Width: 70, Height: 40, Background: "11223344"},
		recipe.Resize{Mode: recipe.LimitFill, Width: 90, Height: 40, Gravity: recipe.Auto}, recipe.Resize{Mode: recipe.MinFit, Width: 130, Height: 130},
		recipe.Resize{Mode: recipe.LimitPad, Width: 150, Height: 200, Background: recipe.Blurred},
		recipe.Resize{Mode: recipe.Pad, Width: 70, Height: 40, Background: recipe.Blurred},
		recipe.Pixelate{Size: 7}, recipe.Pixelate{Size: 3, Region: recipe.Region{X: 2, Y: 1, Width: 9, Height: 90}},
		recipe.Resize{Mode: recipe.Thumb, Width: 20, Height: 40}, recipe.Crop{Width: 20, Height: 9, Gravity: recipe.Entropy},
		recipe.Resize{Mode: recipe.Fill, Width: 20, Height: 40, Gravity: recipe.SouthEast, X: 5, Y: -1},
		recipe.Resize{Mode: recipe.Thumb, Width: 20, Height: 40, Gravity: recipe.Boxes, Boxes: []recipe.Box{{X: 0.7, Y: 0.1, Width: 0.2, Height: 0.9}, {X: 1, Y: 1, Width: 2, Height: 3, Pixels: true, Weight: 3}}},
		recipe.Gradient{Angle: 160, From: recipe.Transparent, To: "ff0000c0", Start: 0.5}, recipe.Blur{Sigma: 3, Region: recipe.Region{X: 2, Y: 1, Width: 9, Height: 90}},
		watermark(9, recipe.Overlay{Gravity: recipe.SouthEast, X: -2, Opacity: 40}), watermark(12, recipe.Overlay{Tiled: true, Y: 3, Angle: -20, Mask: true}),
		equalized, noisy(30), embossed,
		recipe.Frame{Round: true}, recipe.Frame{Radii: [4]int{3, 0, 99, 5}, Border: 3, Ink: "ff000080"},
	}
	for _, c := range adjusted {
		steps = append(steps, c.step)
	}
	return steps
}

// Every operation works on every picture, still or moving, and gives the size that was foreseen and as many frames as there are.
func TestEveryOperationOnEveryPicture(t *testing.T) {
	e := engine(t)
	files, err := filepath.Glob(filepath.Join(pictures, "*.*"))
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	if dir := os.Getenv("TEST_CORPUS"); dir != "" {
		for _, kind := range []string{"photo", "alpha", "anim"} {
			more, _ := filepath.Glob(filepath.Join(dir, kind, "*.*"))
			files = append(files, more...)
		}
	}
	formats := []recipe.Format{recipe.WebP, recipe.PNG, recipe.JPEG, recipe.GIF, recipe.JSON}
	for _, file := range files {
		if filepath.Ext(file) == ".md" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pic, err := e.Inspect(t.Context(), data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var set []recipe.Variant
		for i, s := range everyStep() {
			o := recipe.Output{Format: formats[i%len(formats)]}
			if i%3 == 0 {
				o.AutoQuality, o.MaxBytes = recipe.TargetEco, 1<<20
			}
			set = append(set, as(o, recipe.Resize{Mode: recipe.Fit, Width: 48, Height: 48}, s))
		}
		done, err := e.Render(t.Context(), job.Input{Data: data}, set, nil)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for i, r := range done {
			f, err := foresee(set[i].Steps, size{pic.Width, pic.Height})
			frames := 1
			if moves(pic.Format) && (r.Format == "gif" || r.Format == "webp") {
				frames = pic.Pages
			}
			if err != nil || (size{r.Width, r.Height}) != f.out && !f.trims || r.Width > f.out.w || r.Height > f.out.h || r.Pages != frames {
				t.Errorf("%s, %+v: %d x %d in %d frames, foreseen %v in %d, %v", file, set[i].Steps[1], r.Width, r.Height, r.Pages, f.out, frames, err)
			}
			if r.Format != "json" {
				e.look(t, r)
			}
		}
	}
}

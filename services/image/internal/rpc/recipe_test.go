package rpc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/recipe"
)

func TestRecipeCrossesTheWireUnchanged(t *testing.T) {
	want := recipe.Recipe{Variants: []recipe.Variant{
		{
			Name: "all",
			Steps: []recipe.Step{
				recipe.Resize{Mode: recipe.Pad, Width: 5, Height: 6, Gravity: recipe.North, Background: "112233"},
				recipe.Crop{Width: 3, Height: 2, Gravity: recipe.XY, X: 1, Y: 4},
				recipe.Rotate{Angle: 270}, recipe.Flip{Horizontal: true}, recipe.Flip{Vertical: true}, recipe.Flip{Horizontal: true, Vertical: true},
				recipe.Blur{Sigma: 1.5}, recipe.Sharpen{Sigma: 0.5},
				recipe.Pixelate{Size: 9}, recipe.Pixelate{Size: 7, Region: recipe.Region{X: 1, Y: 2, Width: 3, Height: 4}},
				recipe.Frame{Round: true}, recipe.Frame{Radii: [4]int{1, 2, 3, 4}, Border: 5, Ink: "112233"},
				recipe.Adjust{Effect: recipe.Gamma, Amount: 1.5}, recipe.Adjust{Effect: recipe.Duotone, Amount: 70, Color: "001122", Light: "ffeedd"}, recipe.Adjust{Effect: recipe.Equalize}, recipe.Adjust{Effect: recipe.RGB, Red: 1, Green: -2.5, Blue: 3},
			},
			Output: recipe.Output{Format: recipe.WebP, Quality: 7, KeepMetadata: true, Background: recipe.Transparent},
		},
		{Name: "more", Steps: []recipe.Step{
			recipe.Adjust{Effect: recipe.Noise, Amount: 9}, recipe.Convolve{Matrix: []float64{1, 2, 3, 4, 5, 6, 7, 8, -9.5}, Normalize: true},
			recipe.Trim{Tolerance: 30}, recipe.Resize{Mode: recipe.Pad, Width: 5, Height: 6, Background: recipe.Blurred},
			recipe.Resize{Mode: recipe.Fill, Width: 5, Height: 6, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 0.25, Y: 1}},
			recipe.Crop{Width: 3, Height: 2, Gravity: recipe.XYCenter, Focus: recipe.Point{X: 30, Y: 20, Pixels: true}},
		}},
		{Name: "places", Steps: []recipe.Step{
			recipe.Resize{Mode: recipe.Thumb, Width: 5, Height: 6, Gravity: recipe.SouthEast, X: -3, Y: 4}, recipe.Blur{Sigma: 2, Region: recipe.Region{X: 1, Y: 2, Width: 3, Height: 4}},
			recipe.Resize{Mode: recipe.Fill, Width: 5, Height: 6, Gravity: recipe.Boxes, Boxes: []recipe.Box{{X: 0.1, Y: 0.2, Width: 0.3, Height: 0.4, Weight: 2.5}, {Width: 7, Height: 8, Pixels: true}}},
			recipe.Crop{Width: 5, Height: 6, Gravity: recipe.Boxes, Boxes: []recipe.Box{{X: 0.1, Y: 0.2, Width: 0.3, Height: 0.4}}}, recipe.Crop{Width: 5, Height: 6, Gravity: recipe.Entropy},
			recipe.Gradient{Angle: 200, From: "ff0000", To: recipe.Transparent, Start: 0.25, Stop: 0.75},
		}},
		{Name: "overlays", Steps: []recipe.Step{
			recipe.Overlay{Image: "img_01J", Width: 0.5, Height: 1, Relative: true, Gravity: recipe.South, X: -3, Y: 4, Opacity: 50, Tiled: false, Angle: -30.5},
			recipe.Overlay{Image: "img_01J", Width: 20, X: 3, Y: 4, Tiled: true, Mask: true},
			recipe.Overlay{Text: recipe.Text{Text: "a,b/c\n", Font: "DejaVu Sans", Size: 9, Bold: true, Italic: true, Color: "112233", Background: "44556677", Width: 80, Align: recipe.Middle}},
		}},
		{Name: "plain", Output: recipe.Output{Format: recipe.AVIF, Lossless: true}},
		{Name: "choices", Output: recipe.Output{Format: recipe.JPEG, KeepMetadata: true, StripProfile: true, Progressive: true, Chroma: recipe.Chroma444, Page: 3, Space: recipe.P3, Scaling: recipe.Best}},
		{Name: "found", Output: recipe.Output{Format: recipe.WebP, AutoQuality: recipe.TargetEco, MaxBytes: 5000}},
		{Name: "set", Widths: []int{320, 640}, Steps: []recipe.Step{recipe.Resize{Mode: recipe.Fill, Width: 640, Height: 480}}},
		{Name: "palette", Output: recipe.Output{Format: recipe.PNG, Palette: true}},
	}}
	b, err := protojson.Marshal(RecipeToProto(want))
	if err != nil {
		t.Fatal(err)
	}
	var p imagev1.Recipe
	if err := protojson.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	got, err := RecipeFromProto("recipe", &p)
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v; -want +got\n%s", err, d)
	}
}

func TestRecipeFromProtoNamesWhatIsWrong(t *testing.T) {
	const text = `{"variants": [
		{"name": "card", "operations": [{"blur": {"sigma": 1}}, {"resize": {"mode": "fil", "width": 5, "height": 5}}, {}, {"flip": {"direction": "up"}}]},
		{"name": "big", "operations": [{"resize": {"width": -3}}], "output": {"format": "jpg", "quality": 101}},
		{"name": "auto", "output": {"format": "auto"}}
	]}`
	var p imagev1.Recipe
	if err := protojson.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	_, err := RecipeFromProto("recipe", &p)
	e := fault.As(err)
	if e == nil || e.Kind != fault.Invalid || e.Reason != "BAD_RECIPE" {
		t.Fatalf("got %v", err)
	}
	want := [][2]string{
		{"recipe.variants[0].operations[1].resize.mode", `variant "card": there is no mode "fil"; did you mean "fill"?`},
		{"recipe.variants[0].operations[2]", "exactly one of resize"},
		{"recipe.variants[0].operations[3].flip.direction", `"horizontal", "vertical" and "both"`},
		{"recipe.variants[1].operations[0].resize.width", `variant "big": -3 is not within 0..16384`},
		{"recipe.variants[1].output.format", `did you mean "jpeg"?`},
		{"recipe.variants[1].output.quality", "101 is not within 1..100"},
		{"recipe.variants[2].output.format", "Accept"},
	}
	if len(e.Fields) != len(want) {
		t.Fatalf("%d faults, want %d: %v", len(e.Fields), len(want), err)
	}
	for i, w := range want {
		if e.Fields[i].Path != w[0] || !strings.Contains(e.Fields[i].Message, w[1]) {
			t.Errorf("fault %d is %v, want %v", i, e.Fields[i], w)
		}
	}
	if _, err := RecipeFromProto("", nil); fault.As(err) == nil || fault.As(err).Fields[0].Path != "variants" {
		t.Errorf("no recipe gave %v", err)
	}
}

// A digest of an overlay is for nodes: who calls from outside must not name bytes by it.
func TestDigestsComeFromNobodyElse(t *testing.T) {
	overlay := &imagev1.Overlay{Digest: strings.Repeat("0a", 32)}
	p := &imagev1.Recipe{Variants: []*imagev1.Variant{{Name: "v", Operations: []*imagev1.Operation{{Op: &imagev1.Operation_Overlay{Overlay: overlay}}}}}}
	_, err := RecipeFromProto("recipe", p)
	if e := fault.As(err); e == nil || e.Reason != "BAD_RECIPE" || len(e.Fields) != 1 || e.Fields[0].Path != "recipe.variants[0].operations[0].overlay.digest" {
		t.Errorf("got %v", err)
	}
	r, err := VariantsFromProto("", p.GetVariants())
	if err != nil || r.Layers()[0] != overlay.GetDigest() {
		t.Errorf("a node's: %v, %v", r, err)
	}
}

package pipeline

import (
	"bytes"
	"image/color"
	"image/png"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/test/likeness"
)

func wide(f recipe.Format, steps ...recipe.Step) recipe.Variant {
	return as(recipe.Output{Format: f, Space: recipe.P3, Quality: map[recipe.Format]int{recipe.JPEG: 100, recipe.WebP: 100, recipe.AVIF: 100}[f]}, steps...)
}

// numbers decodes a PNG without a thought for its profile.
func numbers(t testing.TB, data []byte, x, y int) color.NRGBA {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
}

func close2(a, b color.NRGBA, by int) bool {
	for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B), int(a.A) - int(b.A)} {
		if d < -by || d > by {
			return false
		}
	}
	return true
}

// The red of sRGB is 234, 51, 35 of Display P3, in every format that can say so, and comes back as what it was.
func TestP3(t *testing.T) {
	e := engine(t)
	red, same := color.NRGBA{255, 0, 0, 255}, color.NRGBA{234, 51, 35, 255}
	data := encode(t, plain(32, 32, red))
	for _, f := range []recipe.Format{recipe.JPEG, recipe.PNG, recipe.WebP, recipe.AVIF} {
		r := e.make(t, data, wide(f))
		if p := profileOf(t, r.Data); !near(p, recipe.P3) || near(p, recipe.SRGB) {
			t.Errorf("%s has a profile of %d bytes, which is not Display P3's", f, len(p))
		}
		for _, trace := range []string{"Exif", "EXIF", "eXIf", "http://ns.adobe.com"} {
			if f != recipe.AVIF && bytes.Contains(r.Data, []byte(trace)) { // libvips before 8.15 gives an AVIF one of its own making
				t.Errorf("%s holds %q", f, trace)
			}
		}
		if got := numbers(t, e.make(t, r.Data, wide(recipe.PNG)).Data, 16, 16); !close2(got, same, 3) {
			t.Errorf("%s: %v, want %v", f, got, same)
		}
		if got := numbers(t, e.make(t, r.Data, variant(recipe.PNG)).Data, 16, 16); !close2(got, red, 3) {
			t.Errorf("%s, back in sRGB: %v, want %v", f, got, red)
		}
	}
	for name, s := range map[string]recipe.Step{
		"padding":  recipe.Resize{Mode: recipe.Pad, Width: 64, Height: 32, Background: "ff0000"},
		"border":   recipe.Frame{Border: 2, Ink: "ff0000"},
		"tint":     recipe.Adjust{Effect: recipe.Tint, Amount: 100, Color: "ff0000"},
		"gradient": recipe.Gradient{From: "ff0000", To: "ff0000"},
	} {
		if got := numbers(t, e.make(t, encode(t, plain(32, 32, color.NRGBA{90, 90, 90, 255})), wide(recipe.PNG, s)).Data, 1, 1); !close2(got, same, 1) {
			t.Errorf("%s: %v, want %v", name, got, same)
		}
	}
}

// What is in Display P3 stays as it is, and what has another profile, or none and no colours, is told rightly.
func TestP3OfOtherSpaces(t *testing.T) {
	e := engine(t)
	src := load(t, "p3.png")
	done, err := e.Render(t.Context(), job.Input{Data: src}, []recipe.Variant{wide(recipe.PNG), variant(recipe.PNG), wide(recipe.PNG, recipe.Resize{Width: 4})}, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := false
	for i := range 64 {
		before := numbers(t, src, i%8, i/8)
		if got := numbers(t, done[0].Data, i%8, i/8); before.A > 0 && got != before {
			t.Fatalf("at %d,%d %v became %v", i%8, i/8, before, got)
		}
		changed = changed || numbers(t, done[1].Data, i%8, i/8) != before
	}
	if !changed {
		t.Error("beside one in Display P3, the variant in sRGB was not converted")
	}
	for _, name := range []string{"adobergb.jpg", "cmyk.jpg", "deep.png", "photo.jpg", "orientation-6.jpg", "banana.gif", "small.tif"} {
		data := load(t, name)
		there := e.make(t, data, wide(recipe.PNG, recipe.Resize{Width: 40}))
		back := e.make(t, there.Data, variant(recipe.PNG))
		if d := likeness.GapOf(e.look(t, e.make(t, data, variant(recipe.PNG, recipe.Resize{Width: 40}))), e.look(t, back)); d.Mean > 1 {
			t.Errorf("%s by way of Display P3 differs by %v", name, d)
		}
	}
	if p := profileOf(t, e.make(t, load(t, "gray.jpg"), wide(recipe.JPEG)).Data); p != nil {
		t.Errorf("a picture in grey has a profile of %d bytes", len(p))
	}
}

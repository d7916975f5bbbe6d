package pipeline

import (
	"bytes"
	"context"
	"image"
	"image/color"
	_ "image/jpeg" // decoders other than libvips', to look at results with
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

const pictures = "../../../../test/pictures"

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(pictures, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func engine(t testing.TB, change ...func(*Limits)) *Engine {
	t.Helper()
	cfg := Config{Limits: DefaultLimits()}
	for _, f := range change {
		f(&cfg.Limits)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func variant(f recipe.Format, steps ...recipe.Step) recipe.Variant {
	return recipe.Variant{Name: "v", Steps: steps, Output: recipe.Output{Format: f}}
}

// make renders one variant.
func (e *Engine) make(t testing.TB, data []byte, v recipe.Variant) Rendered {
	t.Helper()
	r, err := e.Render(context.Background(), job.Input{Data: data}, []recipe.Variant{v}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

// look decodes a result by way of PNG and checks that it is as large as it says.
func (e *Engine) look(t testing.TB, r Rendered) image.Image {
	t.Helper()
	data := r.Data
	if r.Format != "png" {
		data = e.make(t, data, variant(recipe.PNG)).Data
	}
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if s := m.Bounds().Size(); s != image.Pt(r.Width, r.Height) {
		t.Fatalf("the result is %v pixels and says %d x %d", s, r.Width, r.Height)
	}
	return m
}

var (
	red    = color.NRGBA{220, 40, 40, 255}
	green  = color.NRGBA{40, 180, 60, 255}
	blue   = color.NRGBA{40, 70, 210, 255}
	yellow = color.NRGBA{240, 210, 50, 255}
)

// at expects a colour, more or less, at a place.
func at(t testing.TB, m image.Image, x, y int, want color.NRGBA) {
	t.Helper()
	got := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
	for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B), int(got.A) - int(want.A)} {
		if d < -14 || d > 14 {
			t.Errorf("at %d,%d of %v: %v, want about %v", x, y, m.Bounds().Size(), got, want)
			return
		}
	}
}

// quarters expects four colours: left and right above, left and right below.
func quarters(t testing.TB, m image.Image, want ...color.NRGBA) {
	t.Helper()
	s := m.Bounds().Size()
	at(t, m, s.X/4, s.Y/4, want[0])
	at(t, m, s.X*3/4, s.Y/4, want[1])
	at(t, m, s.X/4, s.Y*3/4, want[2])
	at(t, m, s.X*3/4, s.Y*3/4, want[3])
}

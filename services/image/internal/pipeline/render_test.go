package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"sync"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

func TestOrientationIsHonoured(t *testing.T) {
	e := engine(t)
	for o := 1; o <= 8; o++ {
		data := load(t, fmt.Sprintf("orientation-%d.jpg", o))
		pic, err := e.Inspect(context.Background(), data)
		if err != nil || pic.Width != 120 || pic.Height != 80 || pic.Orientation != o {
			t.Errorf("orientation %d: inspected as %+v, %v", o, pic, err)
		}
		for _, v := range []recipe.Variant{
			variant(recipe.PNG),
			variant(recipe.JPEG, recipe.Resize{Mode: recipe.Limit, Width: 60}),
			variant(recipe.WebP, recipe.Resize{Mode: recipe.Fill, Width: 90, Height: 60}),
		} {
			quarters(t, e.look(t, e.make(t, data, v)), red, green, blue, yellow)
		}
	}
}

func TestSteps(t *testing.T) {
	e := engine(t)
	data := load(t, "orientation-1.jpg") // 120 x 80
	for name, c := range map[string]struct {
		steps []recipe.Step
		w, h  int
		want  []color.NRGBA
	}{
		"fit enlarges":    {[]recipe.Step{recipe.Resize{Mode: recipe.Fit, Width: 240}}, 240, 160, []color.NRGBA{red, green, blue, yellow}},
		"scale":           {[]recipe.Step{recipe.Resize{Mode: recipe.Scale, Width: 50, Height: 200}}, 50, 200, []color.NRGBA{red, green, blue, yellow}},
		"fill west":       {[]recipe.Step{recipe.Resize{Mode: recipe.Fill, Width: 40, Height: 80, Gravity: recipe.West}}, 40, 80, []color.NRGBA{red, red, blue, blue}},
		"fill south east": {[]recipe.Step{recipe.Resize{Mode: recipe.Fill, Width: 40, Height: 80, Gravity: recipe.SouthEast}}, 40, 80, []color.NRGBA{green, green, yellow, yellow}},
		"crop north west": {[]recipe.Step{recipe.Crop{Width: 50, Height: 30, Gravity: recipe.NorthWest}}, 50, 30, []color.NRGBA{red, red, red, red}},
		"crop center":     {[]recipe.Step{recipe.Crop{Width: 60, Height: 40}}, 60, 40, []color.NRGBA{red, green, blue, yellow}},
		"crop by place":   {[]recipe.Step{recipe.Crop{Width: 40, Height: 30, Gravity: recipe.XY, X: 70, Y: 45}}, 40, 30, []color.NRGBA{yellow, yellow, yellow, yellow}},
		"crop what there is": {[]recipe.Step{recipe.Crop{Width: 500, Height: 500, Gravity: recipe.XY, X: 90, Y: 10}}, 30, 70,
			[]color.NRGBA{green, green, yellow, yellow}},
		"crop then reduce": {[]recipe.Step{recipe.Crop{Width: 60, Height: 80, Gravity: recipe.East}, recipe.Resize{Width: 15}}, 15, 20,
			[]color.NRGBA{green, green, yellow, yellow}},
		"rotate 90":       {[]recipe.Step{recipe.Rotate{Angle: 90}}, 80, 120, []color.NRGBA{blue, red, yellow, green}},
		"rotate 180":      {[]recipe.Step{recipe.Rotate{Angle: 180}}, 120, 80, []color.NRGBA{yellow, blue, green, red}},
		"rotate 270":      {[]recipe.Step{recipe.Rotate{Angle: 270}, recipe.Resize{Width: 40}}, 40, 60, []color.NRGBA{green, yellow, red, blue}},
		"flip horizontal": {[]recipe.Step{recipe.Flip{Horizontal: true}}, 120, 80, []color.NRGBA{green, red, yellow, blue}},
		"flip vertical":   {[]recipe.Step{recipe.Flip{Vertical: true}}, 120, 80, []color.NRGBA{blue, yellow, red, green}},
		"flip both":       {[]recipe.Step{recipe.Flip{Horizontal: true, Vertical: true}}, 120, 80, []color.NRGBA{yellow, blue, green, red}},
		"pad": {[]recipe.Step{recipe.Resize{Mode: recipe.Pad, Width: 240, Height: 80, Background: "102030"}, recipe.Crop{Width: 50, Height: 80, Gravity: recipe.West}}, 50, 80,
			[]color.NRGBA{{16, 32, 48, 255}, {16, 32, 48, 255}, {16, 32, 48, 255}, {16, 32, 48, 255}}},
		"pad by gravity": {[]recipe.Step{recipe.Resize{Mode: recipe.Pad, Width: 240, Height: 80, Gravity: recipe.East}, recipe.Crop{Width: 120, Height: 80, Gravity: recipe.East}}, 120, 80,
			[]color.NRGBA{red, green, blue, yellow}},
		"blur and sharpen": {[]recipe.Step{recipe.Blur{Sigma: 2}, recipe.Sharpen{Sigma: 1}, recipe.Resize{Width: 60}}, 60, 40, []color.NRGBA{red, green, blue, yellow}},
	} {
		t.Run(name, func(t *testing.T) {
			r := e.make(t, data, variant(recipe.PNG, c.steps...))
			if r.Width != c.w || r.Height != c.h {
				t.Errorf("%d x %d, want %d x %d", r.Width, r.Height, c.w, c.h)
			}
			quarters(t, e.look(t, r), c.want...)
		})
	}
}

func TestBlurBlurs(t *testing.T) {
	e := engine(t)
	for _, sigma := range []float64{0.5, 3, 5.9, 6, 12, 20, 100} {
		m := e.look(t, e.make(t, load(t, "orientation-1.jpg"), variant(recipe.PNG, recipe.Blur{Sigma: sigma})))
		if m.Bounds().Dx() != 120 || m.Bounds().Dy() != 80 {
			t.Errorf("sigma %v: %v", sigma, m.Bounds())
		}
		if sigma >= 3 && sigma <= 20 {
			at(t, m, 59, 10, color.NRGBA{130, 110, 50, 255}) // half way between red and green
		}
		if sigma == 12 { // one sigma right of the edge, 84% of the way to green
			at(t, m, 71, 5, color.NRGBA{69, 158, 57, 255})
		}
	}
}

// What draws the eye is the orange disc, wherever the transparent green is.
func TestAttention(t *testing.T) {
	e := engine(t)
	v := variant(recipe.JPEG)
	v.Output.Background = "777777"
	wide := e.make(t, e.make(t, load(t, "alpha.png"), v).Data, variant(recipe.PNG,
		recipe.Resize{Mode: recipe.Pad, Width: 800, Height: 150, Gravity: recipe.East, Background: "777777"}))
	m := e.look(t, e.make(t, wide.Data, variant(recipe.PNG, recipe.Resize{Mode: recipe.Fill, Width: 150, Height: 150, Gravity: recipe.Auto})))
	at(t, m, 75, 75, color.NRGBA{240, 140, 20, 255})
}

func TestTransparency(t *testing.T) {
	e := engine(t)
	data := load(t, "alpha.png")
	disc, none := color.NRGBA{240, 140, 20, 255}, color.NRGBA{}
	for f, corner := range map[recipe.Format]color.NRGBA{
		recipe.JPEG: {255, 255, 255, 255}, recipe.PNG: none, recipe.WebP: none, recipe.AVIF: none, recipe.GIF: none,
	} {
		m := e.look(t, e.make(t, data, variant(f, recipe.Resize{Width: 100})))
		at(t, m, 50, 37, disc)
		if f == recipe.JPEG {
			at(t, m, 2, 2, corner)
		} else if _, _, _, a := m.At(2, 2).RGBA(); a != 0 {
			t.Errorf("%s: the corner is not transparent", f)
		}
	}
	v := variant(recipe.JPEG, recipe.Resize{Width: 100})
	v.Output.Background = "3366cc"
	m := e.look(t, e.make(t, data, v))
	at(t, m, 2, 2, color.NRGBA{0x33, 0x66, 0xcc, 255})
	// Half way through the soft edge: disc and background, and none of the green that is hidden beside it.
	at(t, m, 50-27, 37, color.NRGBA{(240 + 0x33) / 2, (140 + 0x66) / 2, (20 + 0xcc) / 2, 255})
}

func TestColoursBecomeSRGB(t *testing.T) {
	e := engine(t)
	adobe := e.look(t, e.make(t, load(t, "adobergb.jpg"), variant(recipe.PNG)))
	raw := e.look(t, e.make(t, stripICC(t, load(t, "adobergb.jpg")), variant(recipe.PNG)))
	differs := 0
	for y := 0; y < 200; y += 10 {
		for x := 0; x < 300; x += 10 {
			if adobe.At(x, y) != raw.At(x, y) {
				differs++
			}
		}
	}
	if differs < 300 {
		t.Errorf("the Adobe RGB profile changed only %d of 600 pixels", differs)
	}
	m := e.look(t, e.make(t, load(t, "deep.png"), variant(recipe.PNG)))
	at(t, m, 95, 63, color.NRGBA{255, 255, 128, 255})
	at(t, m, 48, 0, color.NRGBA{128, 0, 128, 255})
	if r := e.make(t, load(t, "cmyk.jpg"), variant("")); r.Format != "jpeg" {
		t.Errorf("CMYK became %s", r.Format)
	}
	photo := e.look(t, e.make(t, load(t, "photo.jpg"), variant(recipe.PNG, recipe.Resize{Width: 8})))
	cmyk := e.look(t, e.make(t, load(t, "cmyk.jpg"), variant(recipe.PNG, recipe.Resize{Width: 8})))
	for x := range 8 {
		r, _, b, _ := photo.At(x, 3).RGBA()
		cr, _, cb, _ := cmyk.At(x, 3).RGBA()
		if (r > b) != (cr > cb) {
			t.Errorf("at %d the CMYK picture has another hue: %v, %v", x, photo.At(x, 3), cmyk.At(x, 3))
		}
	}
}

// stripICC takes the APP2 segments out of a JPEG.
func stripICC(t *testing.T, data []byte) []byte {
	t.Helper()
	out := append([]byte{}, data[:2]...)
	for at := 2; data[at] == 0xff; {
		size := 2 + int(data[at+2])<<8 + int(data[at+3])
		if data[at+1] == 0xda {
			return append(out, data[at:]...)
		}
		if data[at+1] != 0xe2 {
			out = append(out, data[at:at+size]...)
		}
		at += size
	}
	t.Fatal("no scan in the JPEG")
	return nil
}

func TestAnimations(t *testing.T) {
	e := engine(t)
	for name, frames := range map[string]int{"walk.gif": 8, "banana.gif": 8, "squares.webp": 9} {
		data := load(t, name)
		for _, v := range []recipe.Variant{
			variant(recipe.GIF), variant(recipe.WebP, recipe.Resize{Width: 40}), variant(recipe.WebP, recipe.Rotate{Angle: 90}, recipe.Blur{Sigma: 1}),
			variant(recipe.GIF, recipe.Resize{Mode: recipe.Fill, Width: 30, Height: 30, Gravity: recipe.Auto}),
		} {
			r := e.make(t, data, v)
			pic, err := e.Inspect(context.Background(), r.Data)
			if err != nil || r.Pages != frames || pic.Pages != frames || pic.Width != r.Width || pic.Height != r.Height {
				t.Errorf("%s as %s: %d x %d x %d, read again as %+v, %v", name, v.Output.Format, r.Width, r.Height, r.Pages, pic, err)
			}
		}
		for _, f := range []recipe.Format{recipe.JPEG, recipe.PNG, recipe.AVIF} {
			if r := e.make(t, data, variant(f)); r.Pages != 1 {
				t.Errorf("%s as %s has %d pages", name, f, r.Pages)
			}
		}
	}
}

// Timing of frames survives, and frames stand where they stood.
func TestAnimationKeepsItsMotion(t *testing.T) {
	e := engine(t)
	r := e.make(t, load(t, "walk.gif"), variant(recipe.GIF, recipe.Resize{Width: 48}))
	g := decodeGIF(t, r.Data)
	for i, frame := range g.Image {
		if want := 5 + i; g.Delay[i] != want {
			t.Errorf("frame %d lasts %d, want %d", i, g.Delay[i], want)
		}
		if _, _, _, a := frame.At(i*5+6, 16).RGBA(); a == 0 {
			t.Errorf("frame %d: the square is not where it should be", i)
		}
	}
}

func TestDefaultFormats(t *testing.T) {
	e := engine(t)
	for name, want := range map[string]string{
		"photo.jpg": "jpeg", "alpha.png": "png", "photo.webp": "webp", "photo.avif": "avif", "walk.gif": "gif", "photo.heic": "jpeg", "small.tif": "jpeg",
	} {
		if r := e.make(t, load(t, name), variant("", recipe.Resize{Width: 50})); r.Format != want || r.ContentType != "image/"+want {
			t.Errorf("%s became %s (%s), want %s", name, r.Format, r.ContentType, want)
		}
	}
}

// Many variants of one decode are what each is by itself, nearly to the pixel, and the same bytes every time, also side by side.
func TestSetsAreLikeSinglesAndRepeatable(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	set := []recipe.Variant{
		variant(recipe.JPEG, recipe.Resize{Width: 800}), variant(recipe.PNG, recipe.Resize{Width: 300}),
		variant(recipe.WebP, recipe.Resize{Mode: recipe.Fill, Width: 128, Height: 128, Gravity: recipe.Auto}),
		variant(recipe.PNG, recipe.Crop{Width: 600, Height: 600, Gravity: recipe.West}, recipe.Resize{Width: 150}),
	}
	first, err := e.Render(context.Background(), job.Input{Data: data}, set, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range set {
		one, many := e.look(t, e.make(t, data, v)), e.look(t, first[i])
		sum, n := 0.0, 0
		for y := 0; y < one.Bounds().Dy(); y += 3 {
			for x := 0; x < one.Bounds().Dx(); x += 3 {
				a, b := color.NRGBAModel.Convert(one.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(many.At(x, y)).(color.NRGBA)
				d := float64(a.G) - float64(b.G)
				sum, n = sum+d*d, n+1
			}
		}
		if mse := sum / float64(n); mse > 40 { // 32 dB
			t.Errorf("variant %d of the set differs from itself alone by a mean square of %.1f", i, mse)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			again, err := e.Render(context.Background(), job.Input{Data: data}, set, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range again {
				if !bytes.Equal(again[i].Data, first[i].Data) {
					t.Errorf("variant %d has other bytes the second time", i)
				}
			}
		})
	}
	wg.Wait()
}

func TestEveryEncoderIsRepeatable(t *testing.T) {
	e := engine(t)
	for _, f := range everyFormat {
		v := variant(f, recipe.Resize{Width: 200})
		first := e.make(t, load(t, "photo.jpg"), v)
		if again := e.make(t, load(t, "photo.jpg"), v); !bytes.Equal(first.Data, again.Data) {
			t.Errorf("%s has other bytes the second time", f)
		}
	}
}

package pipeline

import (
	"image"
	"image/color"
	"math"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// under is what a gradient makes of one pixel, worked out by itself: colours multiplied by opacity, mixed along the way, laid over.
func under(s recipe.Gradient, from, to [4]float64, p color.NRGBA, x, y, w, h int) [4]float64 {
	sin, cos := math.Sincos(float64(s.Angle) * math.Pi / 180)
	length := math.Abs(float64(w)*sin) + math.Abs(float64(h)*cos)
	at := 0.5 + ((float64(x)+0.5-float64(w)/2)*sin-(float64(y)+0.5-float64(h)/2)*cos)/length
	stop := s.Stop
	if stop == 0 {
		stop = 1
	}
	part := min(max((at-s.Start)/(stop-s.Start), 0), 1)
	alpha := (from[3]*(1-part) + to[3]*part) / 255
	have := float64(p.A) / 255
	both := alpha + have*(1-alpha)
	out := [4]float64{3: both * 255}
	for i, v := range []uint8{p.R, p.G, p.B} {
		c := (from[i]*from[3]*(1-part) + to[i]*to[3]*part) / 255
		if both > 0 {
			out[i] = (c + float64(v)*have*(1-alpha)) / both
		}
	}
	return out
}

func TestGradient(t *testing.T) {
	e := engine(t)
	for _, alpha := range []bool{false, true} {
		src := noise(41, 30, alpha)
		for _, c := range []struct {
			step     recipe.Gradient
			from, to [4]float64
		}{
			{recipe.Gradient{Angle: 180, From: recipe.Transparent, To: "000000"}, [4]float64{}, [4]float64{0, 0, 0, 255}},
			{recipe.Gradient{Angle: 0, From: "ff0000", To: "0000ff", Start: 0.25, Stop: 0.5}, [4]float64{255, 0, 0, 255}, [4]float64{0, 0, 255, 255}},
			{recipe.Gradient{Angle: 90, From: "ff800080", To: recipe.Transparent}, [4]float64{255, 128, 0, 128}, [4]float64{}},
			{recipe.Gradient{Angle: 37, From: "20406080", To: "ffffff40", Stop: 0.9}, [4]float64{32, 64, 96, 128}, [4]float64{255, 255, 255, 64}},
			{recipe.Gradient{Angle: 290, From: "00ff00", To: "ff00ff"}, [4]float64{0, 255, 0, 255}, [4]float64{255, 0, 255, 255}},
		} {
			m := e.look(t, e.make(t, encode(t, src), variant(recipe.PNG, c.step)))
			for y := range 30 {
				for x := range 41 {
					got, want := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA), under(c.step, c.from, c.to, src.NRGBAAt(x, y), x, y, 41, 30)
					for i, v := range []uint8{got.R, got.G, got.B, got.A} {
						if math.Abs(float64(v)-want[i]) > 1 && (i == 3 || want[3] > 2) {
							t.Fatalf("%+v: at %d,%d %v, want %.0f", c.step, x, y, got, want)
						}
					}
				}
			}
		}
	}
	// Grey gets colours for it, keeps to grey without, and nothing is kept of the picture for it.
	m := e.look(t, e.make(t, load(t, "gray.jpg"), variant(recipe.PNG, recipe.Gradient{Angle: 90, From: "ff0000", To: recipe.Transparent})))
	at(t, m, 0, 30, color.NRGBA{255, 0, 0, 255})
	if m := e.look(t, e.make(t, load(t, "gray.jpg"), variant(recipe.PNG, recipe.Gradient{From: "808080", To: recipe.Transparent}))); m.ColorModel() != color.GrayModel {
		t.Errorf("grey became %T", m)
	}
	f, err := foresee([]recipe.Step{recipe.Gradient{From: "ff0000", To: "00ff00"}, recipe.Resize{Width: 100}}, size{4000, 3000})
	if err != nil || !f.streams || f.enough != 0.025 {
		t.Errorf("%+v, %v", f, err)
	}
}

// A region is blurred by itself: nothing beside it changes, and nothing of what is beside it comes in.
func TestBlurOfARegion(t *testing.T) {
	e := engine(t)
	src := image.NewNRGBA(image.Rect(0, 0, 60, 40))
	for i := range 60 * 40 {
		x, y := i%60, i/60
		src.SetNRGBA(x, y, color.NRGBA{255, 0, 0, 255})
		if image.Pt(x, y).In(image.Rect(20, 10, 40, 30)) {
			src.SetNRGBA(x, y, color.NRGBA{0, uint8(255 * (x / 2 % 2)), 0, 255})
		}
	}
	m := e.look(t, e.make(t, encode(t, src), variant(recipe.PNG, recipe.Blur{Sigma: 5, Region: recipe.Region{X: 20, Y: 10, Width: 20, Height: 20}})))
	for y := range 40 {
		for x := range 60 {
			got := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			if inside := image.Pt(x, y).In(image.Rect(20, 10, 40, 30)); !inside && got != src.NRGBAAt(x, y) || inside && (got.R != 0 || got.G < 40 || got.G > 215) {
				t.Fatalf("at %d,%d: %v", x, y, got)
			}
		}
	}
	v := []recipe.Variant{variant(recipe.PNG, recipe.Blur{Sigma: 5, Region: recipe.Region{X: 60, Width: 5, Height: 5}})}
	if _, err := e.Render(t.Context(), job.Input{Data: encode(t, src)}, v, nil); fault.ReasonOf(err) != OutsidePicture {
		t.Errorf("a region outside: %v", err)
	}
}

// What has most in it is the noise, wherever the bright disc draws the eye.
func TestEntropy(t *testing.T) {
	e := engine(t)
	src := plain(400, 100, color.NRGBA{90, 90, 90, 255})
	busy := noise(90, 90, false)
	for i := range 90 * 90 {
		x, y := i%90, i/90
		c := busy.NRGBAAt(x, y)
		v := 70 + c.R/6
		src.SetNRGBA(305+x, 5+y, color.NRGBA{v, v, v, 255})
		if math.Hypot(float64(x-45), float64(y-45)) < 40 {
			src.SetNRGBA(5+x, 5+y, color.NRGBA{250, 150, 40, 255})
		}
	}
	crop := func(s recipe.Step) color.NRGBA {
		m := e.look(t, e.make(t, encode(t, src), variant(recipe.PNG, s)))
		return color.NRGBAModel.Convert(m.At(50, 50)).(color.NRGBA)
	}
	for _, s := range []recipe.Step{
		recipe.Resize{Mode: recipe.Fill, Width: 100, Height: 100, Gravity: recipe.Entropy}, recipe.Resize{Mode: recipe.Thumb, Width: 100, Height: 100, Gravity: recipe.Entropy},
		recipe.Crop{Width: 100, Height: 100, Gravity: recipe.Entropy},
	} {
		if c := crop(s); c.R != c.B {
			t.Errorf("%+v: %v in the middle", s, c)
		}
	}
	for _, g := range []recipe.Gravity{"", recipe.Auto} {
		if c := crop(recipe.Resize{Mode: recipe.Thumb, Width: 100, Height: 100, Gravity: g}); c.R < 200 {
			t.Errorf("thumb by %q: %v in the middle", g, c)
		}
	}
}

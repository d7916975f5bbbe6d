package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"image/color"
	"math"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// with gives an original and its overlays to a node, and the digests that the overlays have.
func with(data []byte, layers ...[]byte) (in job.Input, digests []string) {
	in = job.Input{Data: data, Layers: map[job.Digest][]byte{}}
	for _, l := range layers {
		sum := sha256.Sum256(l)
		digests = append(digests, hex.EncodeToString(sum[:]))
		in.Layers[job.Digest(digests[len(digests)-1])] = l
	}
	return in, digests
}

func (e *Engine) lay(t testing.TB, in job.Input, steps ...recipe.Step) image.Image {
	t.Helper()
	r, err := e.Render(t.Context(), in, []recipe.Variant{variant(recipe.PNG, steps...)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.look(t, r[0])
}

// Every pixel of the result is either the picture's or the overlay's, by where the overlay should stand.
func TestOverlayStandsWhereItIsPut(t *testing.T) {
	e := engine(t)
	in, d := with(encode(t, plain(40, 30, blue)), encode(t, plain(7, 5, yellow)))
	for name, c := range map[string]struct {
		step recipe.Overlay
		box  image.Rectangle
	}{
		"center":     {recipe.Overlay{Gravity: recipe.Center}, image.Rect(16, 12, 23, 17)},
		"north":      {recipe.Overlay{Gravity: recipe.North, X: 3, Y: 2}, image.Rect(19, 2, 26, 7)},
		"north_east": {recipe.Overlay{Gravity: recipe.NorthEast, X: 3, Y: 2}, image.Rect(30, 2, 37, 7)},
		"east":       {recipe.Overlay{Gravity: recipe.East, X: 3, Y: 2}, image.Rect(30, 14, 37, 19)},
		"south_east": {recipe.Overlay{Gravity: recipe.SouthEast, X: 3, Y: 2}, image.Rect(30, 23, 37, 28)},
		"south":      {recipe.Overlay{Gravity: recipe.South, X: 3, Y: 2}, image.Rect(19, 23, 26, 28)},
		"south_west": {recipe.Overlay{Gravity: recipe.SouthWest, X: 3, Y: 2}, image.Rect(3, 23, 10, 28)},
		"west":       {recipe.Overlay{Gravity: recipe.West, X: 3, Y: -2}, image.Rect(3, 10, 10, 15)},
		"north_west": {recipe.Overlay{Gravity: recipe.NorthWest}, image.Rect(0, 0, 7, 5)},
		"partly out": {recipe.Overlay{Gravity: recipe.NorthWest, X: -3, Y: -2}, image.Rect(0, 0, 4, 3)},
		"out":        {recipe.Overlay{Gravity: recipe.NorthWest, X: 400, Y: -2}, image.Rectangle{}},
		"wide":       {recipe.Overlay{Gravity: recipe.SouthEast, Width: 14}, image.Rect(26, 20, 40, 30)},
		"high":       {recipe.Overlay{Gravity: recipe.SouthEast, Height: 10}, image.Rect(26, 20, 40, 30)},
		"within":     {recipe.Overlay{Gravity: recipe.SouthEast, Width: 14, Height: 5}, image.Rect(33, 25, 40, 30)},
		"a part":     {recipe.Overlay{Gravity: recipe.SouthEast, Width: 0.35, Relative: true}, image.Rect(26, 20, 40, 30)},
		"both parts": {recipe.Overlay{Gravity: recipe.NorthWest, Width: 1, Height: 0.5, Relative: true}, image.Rect(0, 0, 21, 15)},
		"larger":     {recipe.Overlay{Gravity: recipe.Center, Width: 400}, image.Rect(0, 0, 40, 30)},
		"turned":     {recipe.Overlay{Gravity: recipe.NorthWest, X: 1, Angle: 90}, image.Rect(1, 0, 6, 7)},
		"turned -90": {recipe.Overlay{Gravity: recipe.SouthEast, X: 1, Angle: -90}, image.Rect(34, 23, 39, 30)},
	} {
		c.step.Digest = d[0]
		m := e.lay(t, in, c.step)
		for y := range 30 {
			for x := range 40 {
				want := blue
				if image.Pt(x, y).In(c.box) {
					want = yellow
				}
				if got := color.NRGBAModel.Convert(m.At(x, y)); got != want {
					t.Fatalf("%s: at %d,%d %v, want %v", name, x, y, got, want)
				}
			}
		}
	}
}

// Copies stand in rows and columns with gaps between them, one of them where gravity puts it.
func TestTiles(t *testing.T) {
	e := engine(t)
	in, d := with(encode(t, plain(40, 30, blue)), encode(t, plain(6, 4, yellow)))
	for _, c := range []struct {
		step recipe.Overlay
		at   image.Point
	}{
		{recipe.Overlay{Gravity: recipe.NorthWest, X: 3, Y: 2}, image.Pt(0, 0)},
		{recipe.Overlay{Gravity: recipe.Center, X: 5}, image.Pt(17, 13)},
		{recipe.Overlay{Gravity: recipe.SouthEast, X: 1, Y: 100}, image.Pt(34, 26)},
	} {
		c.step.Digest, c.step.Tiled = d[0], true
		m := e.lay(t, in, c.step)
		for y := range 30 {
			for x := range 40 {
				across, down := 6+c.step.X, 4+c.step.Y
				want := blue
				if ((x-c.at.X)%across+across)%across < 6 && ((y-c.at.Y)%down+down)%down < 4 {
					want = yellow
				}
				if got := color.NRGBAModel.Convert(m.At(x, y)); got != want {
					t.Fatalf("%+v: at %d,%d %v, want %v", c.step, x, y, got, want)
				}
			}
		}
	}
}

// What is laid over is what the definition of "over" says, on opaque and on transparent pictures, grey ones too.
func TestOpacity(t *testing.T) {
	e := engine(t)
	half := color.NRGBA{200, 40, 20, 128}
	for _, under := range []color.NRGBA{blue, {40, 70, 210, 100}, {90, 90, 90, 255}, {90, 90, 90, 0}} {
		for _, percent := range []int{1, 50, 60, 100} {
			in, d := with(encode(t, plain(8, 8, under)), encode(t, plain(4, 4, half)))
			var before []recipe.Step
			if under.R == under.G {
				before = []recipe.Step{recipe.Adjust{Effect: recipe.Grayscale}}
			}
			m := e.lay(t, in, append(before, recipe.Overlay{Digest: d[0], Gravity: recipe.NorthWest, Opacity: percent})...)
			got := color.NRGBAModel.Convert(m.At(2, 2)).(color.NRGBA)
			a, b := 128.0/255*float64(percent)/100, float64(under.A)/255
			both := a + b*(1-a)
			mixed := func(top, below uint8) float64 { return (float64(top)*a + float64(below)*b*(1-a)) / both }
			for i, want := range []float64{mixed(200, under.R), mixed(40, under.G), mixed(20, under.B), both * 255} {
				if is := []uint8{got.R, got.G, got.B, got.A}[i]; math.Abs(float64(is)-want) > 1.01 {
					t.Errorf("%v under %d%%: %v, want %.1f in band %d", under, percent, got, want, i)
				}
			}
			if far := color.NRGBAModel.Convert(m.At(6, 6)).(color.NRGBA); under.A > 0 && (far.A != under.A || far.B != under.B) {
				t.Errorf("beside it, %v became %v", under, far)
			}
		}
	}
}

// A mask cuts by its transparency, and beside it nothing is left.
func TestMask(t *testing.T) {
	e := engine(t)
	shape := image.NewNRGBA(image.Rect(0, 0, 3, 1))
	for x, a := range []uint8{0, 128, 255} {
		shape.SetNRGBA(x, 0, color.NRGBA{9, 200, 9, a})
	}
	for _, under := range []color.NRGBA{blue, {40, 70, 210, 100}} {
		in, d := with(encode(t, plain(6, 4, under)), encode(t, shape))
		m := e.lay(t, in, recipe.Overlay{Digest: d[0], Gravity: recipe.NorthWest, X: 1, Y: 1, Mask: true})
		for y := range 4 {
			for x := range 6 {
				want := 0
				if y == 1 && x >= 1 && x <= 3 {
					want = (int(under.A)*[]int{0, 128, 255}[x-1] + 127) / 255
				}
				got := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				if int(got.A) != want || want > 0 && (got.R != under.R || got.G != under.G || got.B != under.B) {
					t.Errorf("%v: at %d,%d %v, want an opacity of %d", under, x, y, got, want)
				}
			}
		}
	}
}

// An overlay turned by no right angle covers what geometry says, clockwise.
func TestTurnedOverlay(t *testing.T) {
	e := engine(t)
	in, d := with(encode(t, plain(100, 100, blue)), encode(t, plain(60, 10, yellow)))
	m := e.lay(t, in, recipe.Overlay{Digest: d[0], Angle: 30})
	sin, cos := math.Sincos(30 * math.Pi / 180)
	for y := range 100 {
		for x := range 100 {
			dx, dy := float64(x)-49.5, float64(y)-49.5
			along, beside := math.Abs(dx*cos+dy*sin), math.Abs(dy*cos-dx*sin)
			if along < 28 && beside < 3 {
				at(t, m, x, y, yellow)
			} else if along > 32 || beside > 7 {
				at(t, m, x, y, blue)
			}
		}
	}
}

// The overlay is upright and in sRGB like any original, its first frame is taken, and it stands on every frame of an animation.
func TestOverlaysOfEveryKind(t *testing.T) {
	e := engine(t)
	for _, name := range []string{"orientation-1.jpg", "orientation-6.jpg", "orientation-8.jpg", "orientation-3.jpg"} {
		in, d := with(encode(t, plain(200, 120, blue)), load(t, name))
		m := e.lay(t, in, recipe.Overlay{Digest: d[0], Gravity: recipe.NorthWest, Width: 60, X: 10, Y: 10})
		for i, want := range []color.NRGBA{red, green, blue, yellow} {
			at(t, m, 10+15+30*(i%2), 10+10+20*(i/2), want)
		}
		at(t, m, 75, 30, blue)
	}
	for _, name := range []string{"cmyk.jpg", "gray.jpg", "deep.png", "photo.webp", "photo.avif", "photo.heic", "small.tif", "walk.gif", "alpha.png", "p3.png"} {
		in, d := with(load(t, "banana.gif"), load(t, name))
		r, err := e.Render(t.Context(), in, []recipe.Variant{
			as(recipe.Output{Format: recipe.WebP, Lossless: true}, recipe.Overlay{Digest: d[0], Width: 0.4, Relative: true, Gravity: recipe.SouthEast, Angle: 12}),
			as(recipe.Output{Format: recipe.GIF}, recipe.Overlay{Digest: d[0], Width: 20, Tiled: true, X: 4, Opacity: 50}),
		}, nil)
		if err != nil || r[0].Pages != 8 || r[1].Pages != 8 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e.look(t, e.make(t, r[0].Data, as(recipe.Output{Format: recipe.PNG, Page: 8})))
	}
}

// The last frame shows it as the first does.
func TestOverlayOnEveryFrame(t *testing.T) {
	e := engine(t)
	in, d := with(load(t, "walk.gif"), encode(t, plain(10, 10, yellow)))
	r, err := e.Render(t.Context(), in, []recipe.Variant{as(recipe.Output{Format: recipe.WebP, Lossless: true}, recipe.Overlay{Digest: d[0], Gravity: recipe.NorthEast})}, nil)
	if err != nil || r[0].Pages != 8 {
		t.Fatal(err)
	}
	for page := 1; page <= 8; page++ {
		m := e.look(t, e.make(t, r[0].Data, as(recipe.Output{Format: recipe.PNG, Page: page})))
		at(t, m, m.Bounds().Dx()-3, 3, yellow)
	}
}

// A picture that is made row by row stays so, and what its overlay may cost is bounded as the original is.
func TestOverlaysAreBounded(t *testing.T) {
	e := engine(t)
	refused := func(what, want string, e *Engine, in job.Input, steps ...recipe.Step) {
		t.Helper()
		_, err := e.Render(t.Context(), in, []recipe.Variant{variant(recipe.PNG, steps...)}, nil)
		var named *VariantError
		if fault.ReasonOf(err) != want || !errors.As(err, &named) {
			t.Errorf("%s: %v (%s), want %s", what, err, fault.ReasonOf(err), want)
		}
	}
	photo := load(t, "photo.jpg")
	for name, want := range map[string]string{
		"bad/truncated.jpg": "OVERLAY_BROKEN_IMAGE", "bad/truncated.png": "OVERLAY_BROKEN_IMAGE", "bad/bomb-20000.png": "OVERLAY_IMAGE_TOO_LARGE",
		"bad/script.svg": "OVERLAY_UNSUPPORTED_FORMAT",
	} {
		in, d := with(photo, load(t, name))
		refused(name, want, e, in, recipe.Overlay{Digest: d[0]})
	}
	in, d := with(photo, photo)
	refused("enlarged", ResultTooLarge, e, in, recipe.Overlay{Digest: d[0], Width: 16000})
	small := engine(t, func(l *Limits) { l.Memory = 6 << 20 }) // the original needs 3.2 MB
	refused("too much memory", ResultTooLarge, small, in, recipe.Blur{Sigma: 1}, recipe.Overlay{Digest: d[0], Tiled: true})
	refused("too many", ResultTooLarge, small, in, recipe.Overlay{Digest: d[0], Width: 900}, recipe.Overlay{Digest: d[0], Width: 900}, recipe.Overlay{Digest: d[0], Width: 900})
	if m := small.lay(t, in, recipe.Overlay{Digest: d[0], Width: 16, Gravity: recipe.NorthWest}); m.Bounds().Dx() != 1200 {
		t.Errorf("got %v", m.Bounds())
	}
	refused("not there", "", e, job.Input{Data: photo}, recipe.Overlay{Digest: d[0]})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Render(ctx, in, []recipe.Variant{variant(recipe.PNG, recipe.Overlay{Digest: d[0]})}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

package pipeline

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// A picture in one colour shows what a frame does to it, pixel by pixel: how much of each lies within the corners is found here by
// counting points.
func TestRoundCorners(t *testing.T) {
	e := engine(t)
	ink := color.NRGBA{200, 100, 50, 255}
	for _, c := range []struct {
		w, h  int
		frame recipe.Frame
		radii [4]float64
	}{
		{60, 40, recipe.Frame{Radii: [4]int{12, 12, 12, 12}}, [4]float64{12, 12, 12, 12}},
		{60, 40, recipe.Frame{Radii: [4]int{5, 0, 20, 9}}, [4]float64{5, 0, 20, 9}},
		{60, 40, recipe.Frame{Radii: [4]int{40, 0, 0, 0}}, [4]float64{40, 0, 0, 0}},
		{60, 40, recipe.Frame{Radii: [4]int{35, 0, 35, 0}}, [4]float64{35, 0, 35, 0}},
		{60, 40, recipe.Frame{Round: true}, [4]float64{20, 20, 20, 20}},
		{61, 41, recipe.Frame{Round: true}, [4]float64{20.5, 20.5, 20.5, 20.5}},
		{60, 40, recipe.Frame{Radii: [4]int{60, 20, 0, 20}}, [4]float64{30, 10, 0, 10}},
	} {
		m := e.look(t, e.make(t, encode(t, plain(c.w, c.h, ink)), variant(recipe.PNG, c.frame)))
		for y := range c.h {
			for x := range c.w {
				got := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				want := 255 * covered(x, y, c.w, c.h, c.radii)
				if math.Abs(float64(got.A)-want) > 26 { // a straight edge in place of an arc, and one point of the grid
					t.Fatalf("%+v: at %d,%d an opacity of %d, want %.0f", c.frame, x, y, got.A, want)
				}
				if got.A > 0 && (got.R != ink.R || got.G != ink.G || got.B != ink.B) {
					t.Fatalf("%+v: at %d,%d %v", c.frame, x, y, got)
				}
			}
		}
	}
}

func plain(w, h int, c color.NRGBA) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.SetNRGBA(i%w, i/w, c)
	}
	return m
}

// covered is the part of a pixel that lies within the corners, from 16 x 16 points.
func covered(x, y, w, h int, radii [4]float64) float64 {
	in := 0
	for i := range 256 {
		px, py := float64(x)+(float64(i%16)+0.5)/16, float64(y)+(float64(i/16)+0.5)/16
		out := false
		for k, r := range radii {
			dx, dy := px, py
			if k == 1 || k == 2 {
				dx = float64(w) - px
			}
			if k >= 2 {
				dy = float64(h) - py
			}
			out = out || dx < r && dy < r && math.Hypot(r-dx, r-dy) > r
		}
		if !out {
			in++
		}
	}
	return float64(in) / 256
}

func TestBorder(t *testing.T) {
	e := engine(t)
	inside, line, none := color.NRGBA{200, 100, 50, 255}, color.NRGBA{10, 60, 200, 255}, color.NRGBA{}
	data := encode(t, plain(40, 30, inside))
	for name, c := range map[string]struct {
		steps []recipe.Step
		size  image.Point
		want  map[image.Point]color.NRGBA
	}{
		"plain": {[]recipe.Step{recipe.Frame{Border: 4, Ink: "0a3cc8"}}, image.Pt(48, 38),
			map[image.Point]color.NRGBA{{0, 0}: line, {3, 20}: line, {4, 4}: inside, {43, 33}: inside, {44, 33}: line, {47, 37}: line}},
		"around round corners": {[]recipe.Step{recipe.Frame{Border: 4, Ink: "0a3cc8", Radii: [4]int{10, 10, 10, 10}}}, image.Pt(48, 38),
			map[image.Point]color.NRGBA{{0, 0}: none, {5, 5}: line, {8, 8}: inside, {0, 19}: line, {24, 0}: line, {24, 19}: inside, {47, 37}: none}},
		"partly seen through": {[]recipe.Step{recipe.Frame{Border: 4, Ink: "0a3cc880"}}, image.Pt(48, 38),
			map[image.Point]color.NRGBA{{0, 0}: {10, 60, 200, 128}, {20, 20}: inside}},
		"grey, then a colour around": {[]recipe.Step{recipe.Adjust{Effect: recipe.Grayscale}, recipe.Frame{Border: 2, Ink: "0a3cc8", Round: true}}, image.Pt(44, 34),
			map[image.Point]color.NRGBA{{22, 0}: line, {22, 17}: {127, 127, 127, 255}, {0, 0}: none}},
		"then reduced": {[]recipe.Step{recipe.Frame{Border: 10, Ink: "0a3cc8"}, recipe.Resize{Width: 30}}, image.Pt(30, 25),
			map[image.Point]color.NRGBA{{1, 1}: line, {15, 12}: inside}},
	} {
		m := e.look(t, e.make(t, data, variant(recipe.PNG, c.steps...)))
		if m.Bounds().Size() != c.size {
			t.Errorf("%s: %v, want %v", name, m.Bounds().Size(), c.size)
			continue
		}
		for p, want := range c.want {
			t.Run(fmt.Sprint(name, p), func(t *testing.T) { at(t, m, p.X, p.Y, want) })
		}
	}
	// What was transparent before stays so within the border, and a format without transparency shows its paper.
	m := e.look(t, e.make(t, load(t, "alpha.png"), variant(recipe.PNG, recipe.Frame{Border: 5, Ink: "0a3cc8", Radii: [4]int{20, 20, 20, 20}})))
	if _, _, _, a := m.At(30, 30).RGBA(); a != 0 {
		t.Errorf("within the border, transparency became %v", m.At(30, 30))
	}
	at(t, e.look(t, e.make(t, data, variant(recipe.JPEG, recipe.Frame{Round: true}))), 0, 0, color.NRGBA{255, 255, 255, 255})
}

// Squares are means of what they cover, and nothing beside a region changes.
func TestPixelate(t *testing.T) {
	e := engine(t)
	src := noise(50, 37, false)
	data := encode(t, src)
	for _, c := range []struct {
		step recipe.Pixelate
		box  image.Rectangle
	}{
		{recipe.Pixelate{Size: 5}, src.Bounds()},
		{recipe.Pixelate{}, src.Bounds()},
		{recipe.Pixelate{Size: 8, Region: recipe.Region{X: 3, Y: 5, Width: 24, Height: 16}}, image.Rect(3, 5, 27, 21)},
		{recipe.Pixelate{Size: 7, Region: recipe.Region{X: 40, Y: 30, Width: 500, Height: 500}}, image.Rect(40, 30, 50, 37)},
	} {
		m := e.look(t, e.make(t, data, variant(recipe.PNG, c.step)))
		side := max(c.step.Size, 2)
		if c.step.Size == 0 {
			side = recipe.DefaultSquare
		}
		for y := range 37 {
			for x := range 50 {
				got := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				want := src.NRGBAAt(x, y)
				if p := image.Pt(x, y); p.In(c.box) {
					want = mean(src, c.box, p, side)
				}
				for _, d := range []int{int(got.R) - int(want.R), int(got.G) - int(want.G), int(got.B) - int(want.B)} {
					if d < -1 || d > 1 {
						t.Fatalf("%+v: at %d,%d %v, want %v", c.step, x, y, got, want)
					}
				}
			}
		}
	}
	_, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{variant(recipe.PNG, recipe.Pixelate{Size: 5, Region: recipe.Region{X: 50, Width: 5, Height: 5}})}, nil)
	if fault.ReasonOf(err) != OutsidePicture {
		t.Errorf("a region outside: %v", err)
	}
	all := e.make(t, load(t, "banana.gif"), as(recipe.Output{Format: recipe.WebP, Lossless: true}, recipe.Pixelate{Size: 16}))
	if all.Pages != 8 {
		t.Errorf("an animation in squares has %d frames", all.Pages)
	}
}

// mean is the colour of the square of a box in which a point lies. Where the box ends within a square, its last column and row count for
// what is missing.
func mean(m *image.NRGBA, box image.Rectangle, p image.Point, side int) color.NRGBA {
	corner := box.Min.Add(image.Pt((p.X-box.Min.X)/side*side, (p.Y-box.Min.Y)/side*side))
	var sum [3]int
	for i := range side * side {
		c := m.NRGBAAt(min(corner.X+i%side, box.Max.X-1), min(corner.Y+i/side, box.Max.Y-1))
		sum[0], sum[1], sum[2] = sum[0]+int(c.R), sum[1]+int(c.G), sum[2]+int(c.B)
	}
	n := side * side
	return color.NRGBA{uint8((sum[0] + n/2) / n), uint8((sum[1] + n/2) / n), uint8((sum[2] + n/2) / n), 255}
}

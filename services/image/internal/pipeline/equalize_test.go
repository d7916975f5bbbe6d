package pipeline

import (
	"image"
	"image/color"
	"math"
	"testing"

	"calotype/services/image/internal/recipe"
)

var equalized = recipe.Adjust{Effect: recipe.Equalize}

// ramp has one column for each level, and behind them as many that are transparent and black.
func ramp(from, to int, hidden bool) *image.NRGBA {
	n := to - from + 1
	m := image.NewNRGBA(image.Rect(0, 0, n, 3))
	if hidden {
		m = image.NewNRGBA(image.Rect(0, 0, 2*n, 3))
	}
	for i := range n * 3 {
		v := uint8(from + i%n)
		m.SetNRGBA(i%n, i/n, color.NRGBA{v, v, v, 255})
	}
	return m
}

// Levels that are as frequent as each other lie as far apart as each other, from 0 to 255, and what does not show does not count.
func TestEqualizeSpreads(t *testing.T) {
	e := engine(t)
	for _, hidden := range []bool{false, true} {
		m := e.look(t, e.make(t, encode(t, ramp(100, 151, hidden)), variant(recipe.PNG, equalized)))
		for x := range 52 {
			if got := color.NRGBAModel.Convert(m.At(x, 1)).(color.NRGBA); got != (color.NRGBA{uint8(5 * x), uint8(5 * x), uint8(5 * x), 255}) {
				t.Fatalf("with transparency %t, level %d became %v", hidden, 100+x, got)
			}
		}
	}
	for _, c := range []color.NRGBA{{90, 90, 90, 255}, {200, 30, 60, 128}, {}} {
		m := e.look(t, e.make(t, encode(t, plain(9, 9, c)), variant(recipe.PNG, equalized)))
		if got := color.NRGBAModel.Convert(m.At(4, 4)).(color.NRGBA); got != c {
			t.Errorf("%v alone became %v", c, got)
		}
	}
	if m := e.look(t, e.make(t, load(t, "gray.jpg"), variant(recipe.PNG, equalized))); m.ColorModel() != color.GrayModel {
		t.Errorf("a grey picture became %T", m)
	}
}

// A pixel's colours move together: what is between them, and its opacity, stays, but where a colour is at its end.
func TestEqualizeKeepsHues(t *testing.T) {
	e := engine(t)
	for _, alpha := range []bool{false, true} {
		src := noise(90, 70, alpha)
		for i := range src.Pix {
			if i%4 != 3 {
				src.Pix[i] = 90 + src.Pix[i]/4
			}
		}
		m := e.look(t, e.make(t, encode(t, src), variant(recipe.PNG, equalized)))
		var below [256]float64
		all, kept := 0.0, 0
		for i := range 90 * 70 {
			p, q := src.NRGBAAt(i%90, i/90), color.NRGBAModel.Convert(m.At(i%90, i/90)).(color.NRGBA)
			light := int(math.Round(0.213*float64(q.R) + 0.715*float64(q.G) + 0.072*float64(q.B)))
			below[min(light, 255)] += float64(p.A)
			all += float64(p.A)
			if p.A != q.A {
				t.Fatalf("%v became %v", p, q)
			}
			if min(q.R, q.G, q.B) == 0 || max(q.R, q.G, q.B) == 255 {
				continue
			}
			if kept++; int(p.R)-int(p.G) != int(q.R)-int(q.G) || int(p.G)-int(p.B) != int(q.G)-int(q.B) {
				t.Fatalf("%v became %v", p, q)
			}
		}
		if kept < 90*70/2 {
			t.Errorf("only %d pixels are within what there is", kept)
		}
		sum := 0.0
		for v, n := range below {
			if sum += n; math.Abs(sum/all-float64(v)/255) > 0.06 {
				t.Errorf("with transparency %t, %.3f are no lighter than %d", alpha, sum/all, v)
				break
			}
		}
	}
}

// It keeps the picture, and therefore neither streams nor fits where nothing may be kept.
func TestEqualizeIsKept(t *testing.T) {
	f, err := foresee([]recipe.Step{recipe.Resize{Width: 100}, equalized}, size{4000, 3000})
	if err != nil || f.streams || f.enough != 0.025 {
		t.Errorf("%+v, %v", f, err)
	}
}

package pipeline

import (
	"image/color"
	"math"
	"testing"

	"calotype/services/image/internal/recipe"
)

var embossed = recipe.Convolve{Matrix: []float64{-2, -1, 0, -1, 1, 1, 0, 1, 2}}

// Every pixel is the sum of those around it by the matrix, which is worked out by itself; what does not show does not count.
func TestConvolve(t *testing.T) {
	e := engine(t)
	smooth := recipe.Convolve{Normalize: true}
	for i := range 25 { // no two weights alike, and none by a mirror
		smooth.Matrix = append(smooth.Matrix, float64(i*i%19)+0.25)
	}
	for _, s := range []recipe.Convolve{
		embossed, smooth,
		{Matrix: []float64{0, -1, 0, -1, 5, -1, 0, -1, 0}},
		{Matrix: []float64{-1, -2, -1, -2, -4, -2, -1, -2, -3}, Normalize: true},
		{Matrix: []float64{-1, -1, -1, -1, 8, -1, -1, -1, -1}, Normalize: true}, // whose sum is 0
	} {
		for _, alpha := range []bool{false, true} {
			src := noise(41, 30, alpha)
			m := e.look(t, e.make(t, encode(t, src), variant(recipe.PNG, s)))
			side, by := int(math.Sqrt(float64(len(s.Matrix)))), 0.0
			for _, w := range s.Matrix {
				by += w
			}
			if !s.Normalize || by == 0 {
				by = 1
			}
			for i := range 41 * 30 {
				x, y := i%41, i/41
				at, got := src.NRGBAAt(x, y), color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				var sums [3]float64
				for k, w := range s.Matrix {
					p := src.NRGBAAt(min(max(x+k%side-side/2, 0), 40), min(max(y+k/side-side/2, 0), 29))
					shows := float64(p.A) / 255
					sums[0] += w * (float64(p.R)*shows + float64(at.R)*(1-shows))
					sums[1] += w * (float64(p.G)*shows + float64(at.G)*(1-shows))
					sums[2] += w * (float64(p.B)*shows + float64(at.B)*(1-shows))
				}
				for b, v := range []uint8{got.R, got.G, got.B} {
					if math.Abs(min(max(sums[b]/by, 0), 255)-float64(v)) > 0.501 || got.A != at.A {
						t.Fatalf("%+v, transparency %t: at %d,%d %v became %v, want %.2f", s, alpha, x, y, at, got, sums[b]/by)
					}
				}
			}
		}
	}
}

// It is made at the size that is there, of rows around each.
func TestConvolveIsKept(t *testing.T) {
	f, err := foresee([]recipe.Step{embossed, recipe.Resize{Width: 100}}, size{4000, 3000})
	if err != nil || f.streams || f.enough != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	e := engine(t)
	if m := e.look(t, e.make(t, load(t, "gray.jpg"), variant(recipe.PNG, embossed))); m.ColorModel() != color.GrayModel {
		t.Errorf("a grey picture became %T", m)
	}
	if m := e.look(t, e.make(t, encode(t, plain(1, 1, color.NRGBA{10, 20, 30, 255})), variant(recipe.PNG, embossed))); color.NRGBAModel.Convert(m.At(0, 0)) != (color.NRGBA{10, 20, 30, 255}) {
		t.Errorf("one pixel became %v", m.At(0, 0))
	}
}

package pipeline

import (
	"image/color"
	"math"
	"testing"

	"calotype/services/image/internal/recipe"
)

func noisy(by float64) recipe.Adjust { return recipe.Adjust{Effect: recipe.Noise, Amount: by} }

// sown is the noise of a place, worked out by itself: the places of a picture are counted from its left upper corner.
func sown(x, y int, within float64) int {
	h := uint32(x)*0x9e3779b1 ^ (uint32(y)+0x7f4a7c15)*0x85ebca77
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	h = (h ^ h>>15) * 0x2c1b3c6d
	return int(math.Floor(within*(float64(h^h>>16)/(1<<32)-0.5) + 0.5))
}

// Every pixel is changed as its place says, all its colours by as much, and none in its opacity; however the picture is cut into pieces.
func TestNoise(t *testing.T) {
	e := engine(t)
	for _, alpha := range []bool{false, true} {
		src := noise(300, 90, alpha)
		for _, within := range []float64{1.5, 40, 100} {
			m := e.look(t, e.make(t, encode(t, src), variant(recipe.PNG, noisy(within))))
			for i := range 300 * 90 {
				x, y := i%300, i/300
				want := src.NRGBAAt(x, y)
				for _, v := range []*uint8{&want.R, &want.G, &want.B} {
					*v = uint8(min(max(int(*v)+sown(x, y, within), 0), 255))
				}
				if got := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA); got != want {
					t.Fatalf("noise of %g at %d,%d: %v, want %v", within, x, y, got, want)
				}
			}
		}
	}
	if m := e.look(t, e.make(t, load(t, "gray.jpg"), variant(recipe.PNG, noisy(30)))); m.ColorModel() != color.GrayModel {
		t.Errorf("a grey picture became %T", m)
	}
}

// Noise leans to no side, fills its range, and neighbours have nothing in common.
func TestNoiseIsNoise(t *testing.T) {
	sum, square, across, down, most := 0.0, 0.0, 0.0, 0.0, 0.0
	for i := range 512 * 512 {
		x, y := i%512, i/512
		v := float64(sown(x, y, 100))
		sum, square, most = sum+v, square+v*v, max(most, math.Abs(v))
		across, down = across+v*float64(sown(x+1, y, 100)), down+v*float64(sown(x, y+1, 100))
	}
	n := 512.0 * 512
	if math.Abs(sum/n) > 0.3 || math.Abs(math.Sqrt(square/n)-100/math.Sqrt(12)) > 0.3 || most != 50 {
		t.Errorf("mean %.2f, deviation %.2f, at most %v", sum/n, math.Sqrt(square/n), most)
	}
	if math.Abs(across/square) > 0.01 || math.Abs(down/square) > 0.01 {
		t.Errorf("neighbours correlate by %.3f across and %.3f down", across/square, down/square)
	}
}

// It streams, but is made at the size that is there: a reduced picture has its noise reduced, too.
func TestNoiseStreams(t *testing.T) {
	f, err := foresee([]recipe.Step{noisy(30), recipe.Resize{Width: 100}}, size{4000, 3000})
	if err != nil || !f.streams || f.enough != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err = foresee([]recipe.Step{recipe.Resize{Width: 100}, noisy(30)}, size{4000, 3000}); err != nil || !f.streams || f.enough != 0.025 {
		t.Errorf("%+v, %v", f, err)
	}
}

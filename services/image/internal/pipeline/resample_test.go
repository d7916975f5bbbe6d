package pipeline

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"testing"

	"calotype/services/image/internal/recipe"
	"calotype/test/likeness"
)

// encodePNG writes a picture for libvips to read.
func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// static is noise in grey, and the same in colour.
func static(w, h int) (grey *image.Gray, coloured *image.NRGBA) {
	grey, coloured = image.NewGray(image.Rect(0, 0, w, h)), image.NewNRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(1, 2))
	for y := range h {
		for x := range w {
			v := uint8(r.UintN(256))
			grey.SetGray(x, y, color.Gray{v})
			coloured.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
		}
	}
	return grey, coloured
}

// Reduced is what the reference gives, whatever the picture's bands and the factors, and the last pixels are no worse than the first. A larger factor is
// reached by means of whole pixels first, which is not the reference: noise shows it more than any picture.
func TestReducedIsTheReference(t *testing.T) {
	e := engine(t)
	grey, coloured := static(223, 151)
	opaque := image.NewNRGBA(coloured.Rect)
	copy(opaque.Pix, coloured.Pix)
	opaque.SetNRGBA(0, 0, color.NRGBA{0, 0, 0, 0}) // has an opacity because of this one
	for _, to := range []size{{222, 150}, {200, 151}, {130, 97}, {75, 60}, {57, 39}, {9, 41}, {1, 151}} {
		v := variant(recipe.PNG, recipe.Resize{Width: to.w, Height: to.h, Mode: recipe.Scale})
		one := e.look(t, e.make(t, encodePNG(t, grey), v))
		if rate := max(223/float64(to.w), 151/float64(to.h)); rate < 4 {
			if got := likeness.PSNR(likeness.LightOf(grey).Reduced(to.w, to.h), likeness.LightOf(one)); got < 55 {
				t.Errorf("%v: %.2f dB from the reference", to, got)
			}
		}
		three := e.look(t, e.make(t, encodePNG(t, coloured), v))
		four := e.look(t, e.make(t, encodePNG(t, opaque), v))
		for y := range to.h {
			for x := range to.w {
				a, _, _, _ := one.At(x, y).RGBA()
				if b, _, _, _ := three.At(x, y).RGBA(); a != b {
					t.Fatalf("%v: at %d,%d grey is %d, and as colour %d", to, x, y, a>>8, b>>8)
				}
				if b, _, _, _ := four.At(x, y).RGBA(); a != b && x > to.w/8 && y > to.h/8 {
					t.Fatalf("%v: at %d,%d grey is %d, and with opacity %d", to, x, y, a>>8, b>>8)
				}
			}
		}
	}
}

// Colours that are multiplied with their opacity and back are what they were, as nearly as bytes tell.
func TestOpacityIsNotLost(t *testing.T) {
	e := engine(t)
	m := image.NewNRGBA(image.Rect(0, 0, 512, 64))
	for y := range 64 {
		for x := range 512 {
			m.SetNRGBA(x, y, color.NRGBA{200, 100, 50, uint8(x / 2)})
		}
	}
	got := e.look(t, e.make(t, encodePNG(t, m), variant(recipe.PNG, recipe.Resize{Width: 256, Height: 32, Mode: recipe.Scale})))
	for x := range 256 {
		c := color.NRGBAModel.Convert(got.At(x, 16)).(color.NRGBA)
		if d := int(c.A) - x; d < -1 || d > 1 {
			t.Errorf("at %d the opacity is %d", x, c.A)
		}
		for i, d := range []int{int(c.R) - 200, int(c.G) - 100, int(c.B) - 50} {
			if most := 2 + 255/(x+1); x > 8 && (d < -most || d > most) {
				t.Errorf("of opacity %d, band %d is %d beside what it was", x, i, d)
			}
		}
	}
}

package pipeline

// #include "shim.h"
import "C"

import "calotype/services/image/internal/recipe"

// plain labels or converts what is not sRGB or grey by its kind.
func (im picture) plain() picture {
	if !im.ok() {
		return im
	}
	switch space := C.VipsInterpretation(im.p.Type); space {
	case C.VIPS_INTERPRETATION_sRGB:
		return im.first(4)
	case C.VIPS_INTERPRETATION_B_W:
		return im.first(2)
	case C.VIPS_INTERPRETATION_GREY16:
		return im.convert(C.VIPS_INTERPRETATION_B_W)
	case C.VIPS_INTERPRETATION_MULTIBAND, C.VIPS_INTERPRETATION_HISTOGRAM, C.VIPS_INTERPRETATION_MATRIX, C.VIPS_INTERPRETATION_FOURIER:
		if im.bands() < 3 {
			return im.first(1).label(C.VIPS_INTERPRETATION_B_W)
		}
		return im.first(3).label(C.VIPS_INTERPRETATION_sRGB)
	default:
		return im.convert(C.VIPS_INTERPRETATION_sRGB).first(4)
	}
}

// first keeps at most n bands.
func (im picture) first(n int) picture {
	if im.bands() <= n {
		return im
	}
	return im.do("select bands", func(out **C.VipsImage) C.int { return C.ct_bands(im.p, C.int(n), out) })
}

func (im picture) convert(to C.VipsInterpretation) picture {
	return im.do("convert colours", func(out **C.VipsImage) C.int { return C.ct_colourspace(im.p, to, out) })
}

func (im picture) label(as C.VipsInterpretation) picture {
	return im.do("label colours", func(out **C.VipsImage) C.int { return C.ct_label(im.p, as, out) })
}

// colour is red, green, blue and opacity, each 0..255.
type colour [4]float64

var white = colour{255, 255, 255, 255}

// read turns a recipe's colour into numbers; the empty one gives no colour at all.
func read(c recipe.Color) colour {
	if c == "" || c == recipe.Transparent {
		return colour{}
	}
	r, g, b, a := c.RGBA()
	return colour{float64(r), float64(g), float64(b), float64(a)}
}

// on makes a picture and a colour fit each other: grey becomes colour where the colour is none, and an opacity is added where the
// colour lets through. It returns the colour as the picture's bands and space want it.
func (c colour) on(im picture) (picture, []float64) {
	c = c.seen(im.a.space)
	if im.bands() < 3 && (c[0] != c[1] || c[1] != c[2]) {
		im = im.convert(C.VIPS_INTERPRETATION_sRGB)
	}
	if c[3] < 255 {
		im = im.addAlpha()
	}
	values := []float64{c[0]}
	if im.bands() >= 3 {
		values = []float64{c[0], c[1], c[2]}
	}
	if im.hasAlpha() {
		values = append(values, c[3])
	}
	return im, values
}

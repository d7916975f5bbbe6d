package pipeline

// #include "space.h"
import "C"

import (
	"math"

	"calotype/services/image/internal/recipe"
)

// toP3 makes linear Display P3 of linear sRGB: both have the white of D65 and the same curve, so that greys are the same in both. From
// the primaries of SMPTE EG 432-1 and of IEC 61966-2-1.
var toP3 = matrix{{0.8224620, 0.1775380, 0}, {0.0331942, 0.9668058, 0}, {0.0170826, 0.0723974, 0.9105200}}

// seen gives the numbers that a colour of sRGB has in a space.
func (c colour) seen(in recipe.Space) colour {
	if in != recipe.P3 {
		return c
	}
	out := c
	for i, row := range toP3 {
		sum := 0.0
		for k, by := range row {
			sum += by * linear(c[k]/255)
		}
		out[i] = math.Round(255 * encoded(sum))
	}
	return out
}

func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func encoded(v float64) float64 {
	if v <= 0.0031308 {
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

// settle brings colours to 8 bits of the space that the arena's pictures have, or to 8-bit grey, whatever they were.
func (im picture) settle() picture {
	if !im.ok() {
		return im
	}
	to := im.a.space
	profile := im.profile()
	there := profile != nil && near(profile, to)
	if C.VipsInterpretation(im.p.Type) == C.VIPS_INTERPRETATION_CMYK || profile != nil && !there {
		var out *C.VipsImage
		if C.ct_to_space(im.p, flag(to == recipe.P3), 1, &out) == 0 {
			im, there = im.a.own(0, out, "convert colours"), true
		} else {
			C.vips_error_clear() // a profile that says nothing: the colours are taken for sRGB
		}
	}
	im = im.plain().cast(C.VIPS_FORMAT_UCHAR)
	if to != recipe.P3 || there || im.bands() < 3 {
		return im
	}
	return im.do("convert colours", func(out **C.VipsImage) C.int { return C.ct_to_space(im.p, 1, 0, out) })
}

// tagged gives a picture in colours the profile of its space; sRGB, and grey, need none.
func (im picture) tagged() picture {
	if im.a.space != recipe.P3 || im.bands() < 3 {
		return im
	}
	return im.do("give a profile", func(out **C.VipsImage) C.int { return C.ct_tag_p3(im.p, out) })
}

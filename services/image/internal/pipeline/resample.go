package pipeline

// #include "resample.h"
import "C"

// reduces reports whether a picture is made smaller by our own loops: libvips' are for what has other numbers than bytes, and for what gets larger.
func (im picture) reduces(across, down float64) bool {
	return im.ok() && across >= 1 && down >= 1 && im.p.BandFmt == C.VIPS_FORMAT_UCHAR && im.bands() <= 4 && im.p.Coding == C.VIPS_CODING_NONE
}

// reduce makes its left upper part smaller, or the whole.
func (im picture) reduce(part extent, to size) picture {
	smaller := func(im picture) picture {
		return im.do("reduce", func(out **C.VipsImage) C.int {
			return C.ct_reduce(im.p, C.double(part.w), C.double(part.h), C.int(to.w), C.int(to.h), out)
		})
	}
	if !im.hasAlpha() {
		return smaller(im)
	}
	im = im.do("premultiply", func(out **C.VipsImage) C.int { return C.ct_weigh(im.p, out) })
	im = smaller(im)
	return im.do("unpremultiply", func(out **C.VipsImage) C.int { return C.ct_unweigh(im.p, out) })
}

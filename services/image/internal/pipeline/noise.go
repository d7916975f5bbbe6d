package pipeline

// #include "noise.h"
import "C"

// noise makes each pixel of a settled picture lighter or darker by up to half of a range of 0..255, row by row. It hangs on the pixel's
// place alone, so that the same original and recipe give the same bytes, and an animation's noise stands still.
func (im picture) noise(within float64) picture {
	im = im.cast(C.VIPS_FORMAT_UCHAR)
	return im.do("add noise", func(out **C.VipsImage) C.int { return C.ct_noise(im.p, C.double(within), out) })
}

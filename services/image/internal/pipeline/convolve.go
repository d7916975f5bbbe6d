package pipeline

// #include "convolve.h"
import "C"

import "calotype/services/image/internal/recipe"

// convolve makes each pixel of a settled picture of those around it; at its edges they are repeated. It is done in whole numbers, so that every
// machine and library gives the same.
func (im picture) convolve(s recipe.Convolve) picture {
	weights, by := s.Whole()
	side := 3
	if len(weights) > 9 {
		side = 5
	}
	sign := int64(1)
	if by < 0 {
		sign = -1
	}
	var matrix [25]C.gint64
	for i, w := range weights {
		matrix[i] = C.gint64(sign * w)
	}
	im = im.cast(C.VIPS_FORMAT_UCHAR)
	wide := im.do("widen", func(out **C.VipsImage) C.int { return C.ct_widen(im.p, C.int(side/2), out) })
	return wide.do("convolve", func(out **C.VipsImage) C.int {
		return C.ct_convolve(wide.p, &matrix[0], C.int(side), C.gint64(sign*by), out)
	})
}

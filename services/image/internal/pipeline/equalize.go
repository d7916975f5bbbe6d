package pipeline

// #include "equalize.h"
import "C"

import "math"

// equalize spreads a settled picture's lightness over all that there is, as evenly as it goes, and leaves the differences between a pixel's
// colours as they are, so that no hue is shifted but where a colour reaches its end. What is transparent counts as little as it shows. The
// picture is computed and kept, as it is read twice.
func (im picture) equalize() picture {
	im = im.cast(C.VIPS_FORMAT_UCHAR).memory()
	if !im.ok() {
		return im
	}
	var counts [256]C.guint64
	if C.ct_lightness(im.p, &counts[0]) != 0 {
		im.a.fail("count how light pixels are")
		return im
	}
	var table [256]C.guint8
	for v, to := range spread(counts) {
		table[v] = C.guint8(to)
	}
	return im.do("equalise", func(out **C.VipsImage) C.int { return C.ct_relight(im.p, &table[0], out) })
}

// spread is the table that equalises what was counted: the darkest that there is becomes 0 and the lightest 255. One level alone stays.
func spread(counts [256]C.guint64) (table [256]byte) {
	var all, darkest, below uint64
	for _, n := range counts {
		if all += uint64(n); darkest == 0 {
			darkest = all
		}
	}
	for v, n := range counts {
		below += uint64(n)
		if table[v] = byte(v); all > darkest && below >= darkest {
			table[v] = byte(math.Round(255 * float64(below-darkest) / float64(all-darkest)))
		}
	}
	return table
}

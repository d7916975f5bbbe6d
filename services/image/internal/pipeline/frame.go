package pipeline

// #include "shim.h"
import "C"

import "calotype/services/image/internal/recipe"

// frame rounds corners and puts a border around, row by row.
func (im picture) frame(s recipe.Frame) picture {
	radii := rounded(s, im.size())
	round := radii != [4]float64{}
	var ink colour
	if s.Border == 0 {
		return im.round(radii, ink)
	}
	ink = read(s.Ink)
	if round {
		im = im.round(radii, ink) // between the corner and the border lies the border, not what is behind
	}
	im, values := ink.on(im)
	full := bordered(s, im.size())
	im = im.embed(rect{s.Border, s.Border, full.w, full.h}, values)
	if !round {
		return im
	}
	for i, r := range radii {
		if r > 0 {
			radii[i] = r + float64(s.Border)
		}
	}
	return im.round(radii, colour{})
}

// round puts an ink in place of what lies outside of the corners.
func (im picture) round(radii [4]float64, ink colour) picture {
	im, values := ink.on(im.addAlpha())
	im = im.cast(C.VIPS_FORMAT_UCHAR)
	var r [4]C.double
	for i := range r {
		r[i] = C.double(radii[i])
	}
	fill := make([]C.double, len(values))
	for i := range fill {
		fill[i] = C.double(values[i])
	}
	return im.do("round corners", func(out **C.VipsImage) C.int { return C.ct_round(im.p, &r[0], &fill[0], out) })
}

// pixelate makes squares of one colour, of the whole or of a region, in which what is transparent does not count.
func (im picture) pixelate(s recipe.Pixelate) picture {
	side := s.Size
	if side == 0 {
		side = recipe.DefaultSquare
	}
	return im.region(s.Region, func(im picture) picture {
		return im.weighted(func(im picture) picture {
			return im.do("pixelate", func(out **C.VipsImage) C.int { return C.ct_squares(im.p, C.int(side), out) })
		})
	})
}

// region changes a part of the picture by itself: nothing of what is beside it comes in.
func (im picture) region(r recipe.Region, f func(picture) picture) picture {
	box, err := part(r, im.size())
	if err != nil {
		if im.a.err == nil {
			im.a.err = err
		}
		return im
	}
	if box.w < im.size().w || box.h < im.size().h {
		im = im.memory() // it is read twice
	}
	changed := f(im.extract(box))
	if im.size() == changed.size() || !changed.ok() {
		return changed
	}
	return im.do("put back", func(out **C.VipsImage) C.int { return C.ct_insert(im.p, changed.p, C.int(box.x), C.int(box.y), out) })
}

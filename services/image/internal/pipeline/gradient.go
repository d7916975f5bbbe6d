package pipeline

// #include "gradient.h"
import "C"

import "calotype/services/image/internal/recipe"

// gradient lays a colour over a settled picture that changes from one side to the other, row by row. What is transparent in the picture
// shows it too.
func (im picture) gradient(s recipe.Gradient) picture {
	if !im.ok() {
		return im
	}
	stop := s.Stop
	if stop == 0 {
		stop = 1
	}
	from, to := read(s.From), read(s.To)
	for _, c := range []colour{from, to} {
		im, _ = colour{c[0], c[1], c[2], 255}.on(im) // a grey picture may need colours for them
	}
	im = im.cast(C.VIPS_FORMAT_UCHAR)
	way := C.ct_way{angle: C.double(s.Angle), start: C.double(s.Start), stop: C.double(stop)}
	for i, c := range []colour{from, to} {
		_, values := colour{c[0], c[1], c[2], 255}.on(im)
		if im.hasAlpha() {
			values = values[:len(values)-1]
		}
		for k, v := range append(values, c[3]) {
			[]*[5]C.double{&way.from, &way.to}[i][k] = C.double(v)
		}
	}
	return im.do("lay a gradient", func(out **C.VipsImage) C.int { return C.ct_gradient(im.p, &way, out) })
}

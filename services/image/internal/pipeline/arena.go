package pipeline

// #cgo pkg-config: vips pangocairo
// #cgo LDFLAGS: -lm
// #include "shim.h"
import "C"

import (
	"slices"
	"unsafe"

	"calotype/services/image/internal/recipe"
)

// arena owns pictures, frees them together, and keeps the first error: once there is one, operations do nothing, so that a chain
// of them is checked once, at its end.
type arena struct {
	reins *reins
	owned []*C.VipsImage
	parts []*arena     // that are freed with it, or before
	space recipe.Space // of its pictures, once they are settled
	err   error
}

func (r *reins) arena() *arena { return &arena{reins: r} }

func (a *arena) free() {
	for _, part := range a.parts {
		part.free()
	}
	a.parts = nil
	for i := len(a.owned) - 1; i >= 0; i-- {
		a.reins.drop(a.owned[i])
		C.g_object_unref(C.gpointer(unsafe.Pointer(a.owned[i])))
	}
	a.owned = nil
}

// part is an arena that can be freed before this one.
func (a *arena) part() *arena {
	p := a.reins.arena()
	p.space = a.space
	a.parts = append(a.parts, p)
	return p
}

// failed takes over another arena's error.
func (a *arena) failed(other *arena) {
	if a.err == nil {
		a.err = other.err
	}
}

// own takes what an operation made.
func (a *arena) own(result C.int, p *C.VipsImage, doing string) picture {
	if result != 0 || p == nil {
		a.fail(doing)
		return picture{a: a}
	}
	a.owned = append(a.owned, p)
	a.reins.add(p)
	return picture{a: a, p: p}
}

func (a *arena) fail(doing string) {
	if a.err == nil {
		a.err = lastError(doing)
	}
}

// adopt takes a picture over from the arena that owns it.
func (a *arena) adopt(im picture) picture {
	im.a.owned = slices.DeleteFunc(im.a.owned, func(p *C.VipsImage) bool { return p == im.p })
	a.owned = append(a.owned, im.p)
	return picture{a: a, p: im.p}
}

package pipeline

// #include "shim.h"
import "C"

import (
	"slices"
	"unsafe"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

// MissingFonts is the reason with which a text is refused by a node that has none.
const MissingFonts = "FONTS_MISSING"

// maxText is how many pixels a text may take: so many are drawn, by letters of any size, within what a call may go on once it is stopped.
const maxText = 8e6

// text writes a text for a picture of a size.
func (o *overlays) text(s recipe.Overlay, a *arena, under size) picture {
	if len(fonts()) == 0 {
		a.err = fault.New(fault.Invalid, MissingFonts, "this node has no fonts: no text can be written")
		return picture{a: a}
	}
	t := s.Text
	text, family := C.CString(t.Text), C.CString(t.Font)
	defer C.free(unsafe.Pointer(text))
	defer C.free(unsafe.Pointer(family))
	c := C.ct_text{text: text, family: family, size: C.int(t.Size), bold: flag(t.Bold), italic: flag(t.Italic), wrap: C.int(wrap(s, under)),
		align: C.int(max(0, slices.Index([]recipe.Align{recipe.Left, recipe.Middle, recipe.Right}, t.Align)))}
	for i, v := range read(t.Color).seen(a.space) {
		c.color[i] = C.double(v / 255)
	}
	for i, v := range read(t.Background).seen(a.space) {
		c.back[i] = C.double(v / 255)
	}
	if c.back[3] > 0 {
		c.padding = C.int((t.Size + 3) / 4)
	}
	var w, h C.int
	var out *C.VipsImage
	most := min(maxText, o.engine.limits.Pixels, o.room/8) // it is drawn, and then copied
	result := C.ct_write(&c, C.gint64(max(0, most)), a.reins.c, &w, &h, &out)
	is := size{int(w), int(h)}
	switch {
	case result == C.CT_TOO_LARGE:
		a.err = tooLarge("a text of %d x %d pixels, where at most %s are written", is.w, is.h, mega(most))
		return picture{a: a}
	case result == C.CT_STOPPED:
		a.err = stopped(o.ctx)
		return picture{a: a}
	}
	o.room -= 4 * is.pixels()
	return a.own(result, out, "write a text")
}

// wrap is how wide the lines of a text may be.
func wrap(s recipe.Overlay, under size) int {
	switch {
	case s.Text.Width > 0:
		return s.Text.Width
	case s.Tiled:
		return under.w
	}
	return max(1, under.w-2*max(s.X, -s.X))
}

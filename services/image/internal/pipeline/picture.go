package pipeline

// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"strings"
	"unsafe"

	"calotype/services/image/internal/recipe"
)

// libError is what libvips said. Its text is for logs: libvips keeps one error buffer for the whole process, so that with
// several pictures at once it may speak of another.
type libError struct{ doing, said string }

func (e *libError) Error() string { return fmt.Sprintf("%s: %s", e.doing, e.said) }

func lastError(doing string) error {
	text := C.vips_error_buffer_copy()
	defer C.g_free(C.gpointer(unsafe.Pointer(text)))
	return &libError{doing, strings.Join(strings.Fields(C.GoString(text)), " ")}
}

// image is one picture of an arena: lazy, mostly, computed when something reads it.
type picture struct {
	a *arena
	p *C.VipsImage
}

// ok reports whether the picture is there and nothing failed before.
func (im picture) ok() bool { return im.p != nil && im.a.err == nil }

// in gives the same picture to another arena, whose operations on it then belong to that.
func (im picture) in(a *arena) picture {
	if a.err == nil {
		a.err = im.a.err
	}
	return picture{a: a, p: im.p}
}

func (im picture) size() size {
	if im.p == nil {
		return size{1, 1}
	}
	return size{int(im.p.Xsize), int(im.p.Ysize)}
}

func (im picture) bands() int {
	if im.p == nil {
		return 3
	}
	return int(im.p.Bands)
}

func (im picture) hasAlpha() bool { return im.p != nil && C.vips_image_hasalpha(im.p) != 0 }

func (im picture) orientation() int {
	if im.p == nil {
		return 1
	}
	return max(1, int(C.vips_image_get_orientation(im.p)))
}

// profile is the embedded colour profile, or nil. It lives as long as the picture.
func (im picture) profile() []byte { return im.blob(C.VIPS_META_ICC_NAME) }

// blob is what a picture brought under a name, or nil. It lives as long as the picture.
func (im picture) blob(field string) []byte {
	name := C.CString(field)
	defer C.free(unsafe.Pointer(name))
	var data unsafe.Pointer
	var n C.size_t
	if im.p == nil || C.vips_image_get_typeof(im.p, name) == 0 || C.vips_image_get_blob(im.p, name, &data, &n) != 0 {
		return nil
	}
	return unsafe.Slice((*byte)(data), int(n))
}

// do runs an operation that makes one picture of another.
func (im picture) do(doing string, f func(out **C.VipsImage) C.int) picture {
	if !im.ok() {
		return picture{a: im.a}
	}
	var out *C.VipsImage
	return im.a.own(f(&out), out, doing)
}

func (im picture) extract(r rect) picture {
	if r == (rect{0, 0, im.size().w, im.size().h}) {
		return im
	}
	return im.do("extract", func(out **C.VipsImage) C.int {
		return C.ct_extract(im.p, C.int(r.x), C.int(r.y), C.int(r.w), C.int(r.h), out)
	})
}

// memory computes the picture and keeps its pixels.
func (im picture) memory() picture {
	return im.do("compute", func(out **C.VipsImage) C.int { return C.ct_memory(im.p, out) })
}

func (im picture) orient() picture {
	return im.do("orient", func(out **C.VipsImage) C.int { return C.ct_orient(im.p, out) })
}

func (im picture) rotate(angle int) picture {
	turns := map[int]C.VipsAngle{90: C.VIPS_ANGLE_D90, 180: C.VIPS_ANGLE_D180, 270: C.VIPS_ANGLE_D270}
	return im.do("rotate", func(out **C.VipsImage) C.int { return C.ct_rotate(im.p, turns[angle], out) })
}

func (im picture) flip(direction C.VipsDirection) picture {
	return im.do("flip", func(out **C.VipsImage) C.int { return C.ct_flip(im.p, direction, out) })
}

// resize brings the picture to exactly a size. Where it is partly transparent, hidden colours do not bleed out.
func (im picture) resize(to size) picture {
	from := im.size()
	if from == to {
		return im
	}
	if im.reduces(float64(from.w)/float64(to.w), float64(from.h)/float64(to.h)) {
		return im.reduce(from.extent(), to)
	}
	return im.weighted(func(im picture) picture {
		return im.scale(float64(to.w)/float64(from.w), float64(to.h)/float64(from.h)).fitted(to)
	})
}

func (im picture) scale(across, down float64) picture {
	return im.do("resize", func(out **C.VipsImage) C.int { return C.ct_resize(im.p, C.double(across), C.double(down), out) })
}

// fitted takes away, or repeats, the last pixels of what libvips rounded otherwise.
func (im picture) fitted(to size) picture {
	if got := im.size(); im.ok() && got != to {
		im = im.extract(rect{0, 0, min(got.w, to.w), min(got.h, to.h)}).stretch(to)
	}
	return im
}

// stretch repeats the last row and column.
func (im picture) stretch(to size) picture {
	if im.size() == to {
		return im
	}
	return im.do("stretch", func(out **C.VipsImage) C.int { return C.ct_stretch(im.p, C.int(to.w), C.int(to.h), out) })
}

// weighted runs an operation on colours that are multiplied with their transparency.
func (im picture) weighted(f func(picture) picture) picture {
	if !im.hasAlpha() {
		return f(im)
	}
	format := C.VipsBandFormat(im.p.BandFmt)
	im = im.do("premultiply", func(out **C.VipsImage) C.int { return C.ct_premultiply(im.p, out) }).cast(format)
	im = f(im)
	return im.do("unpremultiply", func(out **C.VipsImage) C.int { return C.ct_unpremultiply(im.p, out) }).cast(format)
}

func (im picture) cast(to C.VipsBandFormat) picture {
	if im.ok() && im.p.BandFmt == to {
		return im
	}
	return im.do("cast", func(out **C.VipsImage) C.int { return C.ct_cast(im.p, to, out) })
}

// fine is the largest standard deviation that is blurred at full size. A stronger blur leaves so little detail that it is done on a
// reduced copy, which costs next to nothing at any strength.
const fine = 6

func (im picture) blur(sigma float64) picture {
	full, by := im.size(), max(1, math.Floor(sigma/fine*2))
	small := size{whole(float64(full.w) / by), whole(float64(full.h) / by)}
	return im.resize(small).weighted(func(im picture) picture {
		return im.do("blur", func(out **C.VipsImage) C.int { return C.ct_blur(im.p, C.double(sigma/by), out) })
	}).resize(full)
}

func (im picture) sharpen(sigma float64) picture {
	return im.do("sharpen", func(out **C.VipsImage) C.int { return C.ct_sharpen(im.p, C.double(sigma), out) })
}

// attention finds the part of a size that draws the eye, or that has most in it.
func (im picture) attention(g recipe.Gravity, part size) rect {
	r := rect{0, 0, part.w, part.h}
	if !im.ok() {
		return r
	}
	var x, y C.int
	if C.ct_attention(im.p, flag(g == recipe.Entropy), C.int(part.w), C.int(part.h), &x, &y) != 0 {
		im.a.fail("find what draws the eye")
	}
	r.x, r.y = int(x), int(y)
	return r
}

// content finds what is left when edges of one colour are cut off: all of a picture that has but one.
func (im picture) content(tolerance int) rect {
	all := rect{0, 0, im.size().w, im.size().h}
	if !im.ok() {
		return all
	}
	if tolerance == 0 {
		tolerance = recipe.DefaultTolerance
	}
	var x, y, w, h C.int
	if C.ct_content(im.p, C.double(tolerance), &x, &y, &w, &h) != 0 {
		im.a.fail("find the edges")
		return all
	}
	if w == 0 || h == 0 {
		return all
	}
	return rect{int(x), int(y), int(w), int(h)}
}

// backdrop is the longer side, in pixels, of the copy that is blurred: what is so far out of focus needs no more.
const backdrop = 96

// within puts a picture at a place of a larger canvas, on itself out of focus. It is computed and kept, as it is read twice.
func (im picture) within(r rect) picture {
	im = im.memory()
	to, have := size{r.w, r.h}, im.size()
	by := min(1, backdrop/float64(max(to.w, to.h)))
	small := size{whole(float64(to.w) * by), whole(float64(to.h) * by)}
	cover := max(float64(small.w)/float64(have.w), float64(small.h)/float64(have.h))
	full := size{max(small.w, whole(float64(have.w)*cover)), max(small.h, whole(float64(have.h)*cover))}
	back := im.resize(full).extract(rect{(full.w - small.w) / 2, (full.h - small.h) / 2, small.w, small.h}).blur(backdrop / 24).resize(to)
	if !back.ok() {
		return back
	}
	return im.do("put before", func(out **C.VipsImage) C.int {
		if im.hasAlpha() {
			return C.ct_over(back.p, im.p, C.int(r.x), C.int(r.y), out)
		}
		return C.ct_insert(back.p, im.p, C.int(r.x), C.int(r.y), out)
	})
}

func (im picture) embed(r rect, background []float64) picture {
	return im.do("pad", func(out **C.VipsImage) C.int {
		return C.ct_embed(im.p, C.int(r.x), C.int(r.y), C.int(r.w), C.int(r.h), (*C.double)(&background[0]), C.int(len(background)), out)
	})
}

func (im picture) flatten(background []float64) picture {
	return im.do("flatten", func(out **C.VipsImage) C.int {
		return C.ct_flatten(im.p, (*C.double)(&background[0]), C.int(len(background)), out)
	})
}

func (im picture) addAlpha() picture {
	if im.hasAlpha() {
		return im
	}
	return im.do("add transparency", func(out **C.VipsImage) C.int { return C.ct_addalpha(im.p, out) })
}

// forget drops an original's metadata, but for what rendering needs. The picture must be new.
func (im picture) forget() {
	if im.ok() {
		C.ct_forget(im.p)
	}
}

func (im picture) clean(keep, profile bool) picture {
	return im.do("clean", func(out **C.VipsImage) C.int { return C.ct_clean(im.p, flag(keep), flag(profile), out) })
}

// frames joins pictures of one size into the strip that libvips takes an animation for.
func frames(a *arena, list []picture) picture {
	if len(list) == 1 {
		return list[0]
	}
	raw := make([]*C.VipsImage, len(list))
	for i, im := range list {
		if !im.ok() {
			return im
		}
		raw[i] = im.p
	}
	var out *C.VipsImage
	joined := a.own(C.ct_join(&raw[0], C.int(len(raw)), &out), out, "join frames")
	return joined.do("join frames", func(out **C.VipsImage) C.int {
		return C.ct_page_height(joined.p, C.int(list[0].size().h), out)
	})
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// read computes every pixel and tells whether that went well.
func (im picture) read() bool { return im.ok() && C.ct_read(im.p) == 0 }

package pipeline

// #include "shim.h"
import "C"

import (
	"image"
	"runtime"
	"slices"
	"unsafe"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/facts"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// copied is the copy of a picture that is measured.
var copied = recipe.Resize{Mode: recipe.Limit, Width: facts.Side, Height: facts.Side}

// measured is the scale to which an original may be reduced when the result of steps is only to be measured.
func measured(steps []recipe.Step, from size) float64 {
	f, err := foresee(append(slices.Clone(steps), copied), from)
	if err != nil {
		return 1
	}
	return f.enough
}

// write encodes what a variant's steps made of each frame, or tells of it.
func (j *call) write(a *arena, done []picture, p plan) []byte {
	if p.format != recipe.JSON {
		return j.encoded(a, p, done)
	}
	im := done[0]
	doc := facts.Document{Original: j.facts(p.Output.KeepMetadata), Picture: facts.Picture{Width: p.out.w, Height: p.out.h, Page: p.page + 1}}
	small := im.resize(scaled(copied, im.size())).pixels()
	if a.err != nil {
		return nil
	}
	var err error
	if doc.Picture.Measures, err = facts.Measure(small); err == nil {
		var data []byte
		if data, err = doc.Encode(); err == nil {
			return data
		}
	}
	a.err = fault.Wrap(err, fault.Internal, "ENCODE_FAILED", "the picture could not be told of")
	return nil
}

// facts is what the file says, without a look at its pixels.
func (j *call) facts(places bool) facts.Original {
	a := j.reins.arena()
	var pin runtime.Pinner
	defer pin.Unpin()
	defer a.free()
	src := open(a, &pin, j.data, j.header, reading{frames: 1})
	pic := job.Picture{}
	if src.ok() {
		pic = describe(src, j.header, len(j.data))
	}
	o := facts.Original{Format: j.header.Format, ContentType: j.header.ContentType, Bytes: int64(len(j.data)), Width: pic.Width, Height: pic.Height,
		Pages: pic.Pages, Orientation: pic.Orientation, HasAlpha: pic.HasAlpha, ColorProfile: facts.ProfileName(src.profile())}
	block := src.blob(C.VIPS_META_EXIF_NAME)
	if j.header.Format == probe.TIFF {
		block = j.data // is of EXIF's own form
	}
	var place *facts.Place
	if o.EXIF, place = facts.EXIF(block); places {
		o.GPS = place
	}
	if moves(j.header.Format) && j.header.Frames > 1 {
		o.Delays = src.delays(j.header.Frames)
	}
	return o
}

// delays is how long each frame lasts, in milliseconds.
func (im picture) delays(frames int) []int {
	name := C.CString("delay")
	defer C.free(unsafe.Pointer(name))
	var list *C.int
	var n C.int
	if im.p == nil || C.vips_image_get_typeof(im.p, name) == 0 || C.vips_image_get_array_int(im.p, name, &list, &n) != 0 {
		return nil
	}
	var out []int
	for _, d := range unsafe.Slice(list, min(int(n), frames)) {
		out = append(out, int(d))
	}
	return out
}

// pixels computes a picture in 8-bit sRGB with opacity; it must be small.
func (im picture) pixels() *image.NRGBA {
	if im.ok() && im.bands() < 3 {
		im = im.convert(C.VIPS_INTERPRETATION_sRGB)
	}
	im = im.addAlpha().memory()
	if !im.ok() {
		return nil
	}
	out := image.NewNRGBA(image.Rect(0, 0, im.size().w, im.size().h))
	copy(out.Pix, unsafe.Slice((*byte)(C.vips_image_get_data(im.p)), len(out.Pix)))
	return out
}

package pipeline

// #include "shim.h"
import "C"

import (
	"math"
	"runtime"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// ofOverlay stands before the reasons for which an original would be refused, where it is an overlay that is.
const ofOverlay = "OVERLAY_"

// layer is an original that overlays name.
type layer struct {
	job.Picture
	data   []byte
	header probe.Header
}

// admit looks at the overlays' originals as at the original itself, before any pixel is decoded.
func (j *call) admit(data map[job.Digest][]byte, variants []recipe.Variant) error {
	j.layers = map[string]layer{}
	for _, v := range variants {
		for _, s := range v.Steps {
			o, is := s.(recipe.Overlay)
			if _, known := j.layers[o.Digest]; !is || known || o.Digest == "" {
				continue
			}
			l := layer{data: data[job.Digest(o.Digest)]}
			var err error
			if l.data == nil {
				return &VariantError{v.Name, fault.New(fault.Internal, "", "the overlay %.12s was not fetched", o.Digest)}
			}
			if l.Picture, err = j.engine.Inspect(j.ctx, l.data); err == nil {
				l.header, err = probe.Read(l.data)
			}
			if err != nil {
				return &VariantError{v.Name, overlaid(err)}
			}
			j.layers[o.Digest] = l
		}
	}
	return nil
}

// overlaid says of a picture that cannot be used that it is the overlay.
func overlaid(err error) error {
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid || f.Reason == "" {
		return err
	}
	return fault.Wrap(err, fault.Invalid, ofOverlay+f.Reason, "an overlay: %s", f.Message)
}

// overlays are those of one variant. Each is made once, whatever the number of frames, and kept in memory until the variant is done.
type overlays struct {
	*call
	keep *arena
	room int64 // bytes of pixels that may be kept besides the original's
	done map[int]laid
}

// laid is an overlay where it stands.
type laid struct {
	picture
	x, y int
}

func (j *call) overlays(keep *arena, base []canvas, streams bool) *overlays {
	o := &overlays{call: j, keep: keep, room: int64(j.engine.limits.Memory), done: map[int]laid{}}
	for _, c := range base {
		if !streams {
			o.room -= c.size().pixels() * int64(c.bands())
		}
	}
	return o
}

// overlay puts one upon the picture.
func (r *run) overlay(i int, s recipe.Overlay, c canvas) canvas {
	top, known := r.over.done[i]
	if !known {
		top = r.over.make(s, r.over.keep, c.stands)
		r.over.done[i] = top
		c.a.failed(r.over.keep)
	}
	if !top.ok() || !c.ok() {
		return c
	}
	under := c.resize(c.stands) // which it is, unless the picture is only to be measured
	switch {
	case s.Mask:
		under = under.addAlpha()
	case under.bands() < 3:
		under = under.convert(C.VIPS_INTERPRETATION_sRGB)
	}
	under = under.cast(C.VIPS_FORMAT_UCHAR)
	at := C.ct_place{x: C.int(top.x), y: C.int(top.y), opacity: C.int(s.Opacity), mask: flag(s.Mask)}
	if s.Opacity == 0 {
		at.opacity = 100
	}
	if s.Tiled {
		at.across, at.down = C.int(top.size().w+s.X), C.int(top.size().h+s.Y)
	}
	c.picture = under.do("lay over", func(out **C.VipsImage) C.int { return C.ct_lay(under.p, top.p, &at, out) })
	return c
}

// make computes an overlay for a picture of a size, in an arena.
func (o *overlays) make(s recipe.Overlay, a *arena, under size) laid {
	began := time.Now()
	if s.Text.Text != "" {
		done := o.turn(s, o.text(s, a, under))
		return laid{done, 0, 0}.placed(s, under)
	}
	l, there := o.layers[s.Digest]
	if !there {
		a.err = fault.New(fault.Internal, "", "the overlay %.12s was not fetched", s.Digest)
		return laid{picture: picture{a: a}}
	}
	to := within(s, size{l.Width, l.Height}, under)
	seen := rect{0, 0, to.w, to.h}
	if s.Angle == 0 && !s.Tiled && !s.Mask { // only what will be seen is made
		x, y := stand(s, to, under)
		seen = rect{max(0, -x), max(0, -y), min(to.w, under.w-x), min(to.h, under.h-y)}
		seen.w, seen.h = seen.w-seen.x, seen.h-seen.y
		if seen.w <= 0 || seen.h <= 0 {
			return laid{picture: picture{a: a}} // beside the picture
		}
	}
	if a.err = o.take(size{seen.w, seen.h}, to); a.err != nil {
		return laid{picture: picture{a: a}}
	}
	done := o.turn(s, l.decode(a, to, seen))
	if a.err != nil && o.ctx.Err() == nil {
		a.err = overlaid(refusal(o.ctx, a.err))
	}
	o.engine.observe("decode", l.Format, time.Since(began))
	if seen.w < to.w || seen.h < to.h {
		x, y := stand(s, to, under)
		return laid{done, x + seen.x, y + seen.y}
	}
	return laid{done, 0, 0}.placed(s, under)
}

// take counts the bytes of an overlay, before there are any; whole is as large as it is to be, were all of it seen.
func (o *overlays) take(s, whole size) error {
	if limit := o.engine.limits.Pixels; whole.pixels() > limit {
		return tooLarge("an overlay of %s, where at most %s are made", mega(whole.pixels()), mega(limit))
	}
	if o.room -= 4 * s.pixels(); o.room < 0 {
		return tooLarge("the overlays keep too many pixels in memory, of which at most %d MiB are kept; make them or the picture smaller",
			o.engine.limits.Memory>>20)
	}
	return nil
}

// within gives the size of an image of its own size as an overlay of a picture.
func within(s recipe.Overlay, own, under size) size {
	w, h := s.Width, s.Height
	if s.Relative {
		w, h = w*float64(under.w), h*float64(under.h)
	}
	by := 1.0
	switch x, y := w/float64(own.w), h/float64(own.h); {
	case w > 0 && h > 0:
		by = min(x, y)
	case w > 0 || h > 0:
		by = max(x, y)
	}
	return size{whole(float64(own.w) * by), whole(float64(own.h) * by)}
}

// stand gives the left upper corner of an overlay in a picture. What is tiled has a copy there without the offsets.
func stand(s recipe.Overlay, of, under size) (x, y int) {
	x, y = place(s.Gravity, under.w-of.w, under.h-of.h)
	if s.Tiled {
		return x, y
	}
	right, down := s.X, s.Y
	switch s.Gravity {
	case recipe.East, recipe.NorthEast, recipe.SouthEast:
		right = -right
	}
	switch s.Gravity {
	case recipe.South, recipe.SouthEast, recipe.SouthWest:
		down = -down
	}
	return x + right, y + down
}

func (l laid) placed(s recipe.Overlay, under size) laid {
	l.x, l.y = stand(s, l.size(), under)
	return l
}

// decode makes the part of a layer that is seen, once it is as large as it is to be: in colour, with transparency, in memory.
func (l layer) decode(keep *arena, to size, seen rect) picture {
	var pin runtime.Pinner
	defer pin.Unpin()
	a := keep.reins.arena()
	a.space = keep.space
	defer a.free()
	how := reading{shrink: 1, frames: 1}
	for scale := float64(max(to.w, to.h)) / float64(max(l.Width, l.Height)); l.Format == probe.JPEG && how.shrink < 8 && float64(how.shrink*2)*scale <= 1; {
		how.shrink *= 2
	}
	upright := l.Orientation == 1
	src := open(a, &pin, l.data, l.header, how)
	if !upright { // it is turned in memory, as large as it is to be
		lying := to
		if l.Orientation >= 5 {
			lying = to.turned()
		}
		src = src.settle().resize(lying).memory().orient()
	}
	return held(src, keep, func(im picture) picture {
		im = im.settle().resize(to)
		if im.bands() < 3 {
			im = im.convert(C.VIPS_INTERPRETATION_sRGB)
		}
		return im.addAlpha().cast(C.VIPS_FORMAT_UCHAR).extract(seen)
	})
}

// turn turns an overlay clockwise, so that all of it is there.
func (o *overlays) turn(s recipe.Overlay, im picture) picture {
	if s.Angle == 0 || !im.ok() {
		return im
	}
	a := im.a
	var done picture
	if right := int(math.Round(s.Angle)) % 360; float64(right) == s.Angle && right%90 == 0 {
		done = im.rotate((right + 360) % 360)
	} else {
		done = im.weighted(func(im picture) picture {
			return im.do("turn", func(out **C.VipsImage) C.int { return C.ct_turn(im.p, C.double(s.Angle), out) })
		})
	}
	if !done.ok() {
		return done
	}
	if a.err = o.take(done.size(), done.size()); a.err != nil {
		return picture{a: a}
	}
	return done.memory()
}

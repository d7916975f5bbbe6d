package pipeline

// #include "shim.h"
import "C"

import (
	"math"

	"calotype/services/image/internal/recipe"
)

// canvas is a picture on its way through a variant's steps. Because the original may have been reduced beforehand, it also knows the
// size that it stands for, in whose pixels the steps count.
type canvas struct {
	picture
	stands size
	raw    bool   // the colours are still the original's
	span   extent // how much of the picture stands for all of that, unless it is the whole
}

func (c canvas) settled() canvas {
	if c.raw {
		c.picture, c.raw = c.picture.settle(), false
	}
	return c
}

// run applies one variant's steps to frames. What draws the eye is decided on the first frame, so that an animation keeps still.
type run struct {
	steps []recipe.Step
	paper colour // what Pad fills with when it does not say
	focus map[int]rect
	most  int64 // pixels of a picture on the way
	over  *overlays
	// stands is what the last picture that was made stands for: its size, but for what is only to be measured.
	stands size
}

func (r *run) apply(c canvas) picture {
	for i, s := range r.steps {
		if !c.ok() {
			r.stands = c.stands
			return c.picture
		}
		switch s := s.(type) {
		case recipe.Resize:
			c = r.resize(i, s.Meant(), c)
		case recipe.Crop:
			c = r.crop(i, s, c)
		case recipe.Rotate:
			c = c.settled()
			c.picture = c.rotate(s.Angle)
			if s.Angle != 180 {
				c.stands = c.stands.turned()
			}
		case recipe.Flip:
			c = c.settled()
			c.span = extent{}
			if s.Horizontal {
				c.picture = c.flip(C.VIPS_DIRECTION_HORIZONTAL)
			}
			if s.Vertical {
				c.picture = c.flip(C.VIPS_DIRECTION_VERTICAL)
			}
		case recipe.Blur:
			c = c.settled()
			c.picture = c.region(s.Region, func(im picture) picture { return im.blur(s.Sigma) })
		case recipe.Sharpen:
			c = c.settled()
			c.picture = c.sharpen(s.Sigma)
		case recipe.Adjust:
			c = c.settled()
			c.picture = c.adjust(s)
		case recipe.Pixelate:
			c = c.settled()
			c.picture = c.pixelate(s)
		case recipe.Frame:
			c = c.settled()
			c.picture, c.stands = c.frame(s), bordered(s, c.stands)
		case recipe.Gradient:
			c = c.settled()
			c.picture = c.gradient(s)
		case recipe.Convolve:
			c = c.settled()
			c.picture = c.convolve(s)
		case recipe.Trim:
			c = r.trim(i, s, c.settled())
		case recipe.Overlay:
			c = r.overlay(i, s, c.settled())
		}
		// What was trimmed may come out larger than was foreseen; no pixel is made yet.
		if n := c.stands.pixels(); n > r.most && c.a.err == nil {
			c.a.err = tooLarge("a step makes %s, where at most %s are made", mega(n), mega(r.most))
		}
	}
	r.stands = c.stands
	return c.settled().picture
}

func (r *run) resize(i int, s recipe.Resize, c canvas) canvas {
	before, whole := c.stands, scaled(s, c.stands)
	if s.Mode.Fills() && s.Gravity.Seeks() && whole.pixels() > r.most {
		c.stands = whole // to be refused
		return c
	}
	c.picture, c.span = c.resizeFrom(c.extent(), whole), extent{}
	c.stands = whole
	c = c.settled()
	switch {
	case s.Mode.Fills():
		part := framed(s, before)
		box, err := aim(s, before, whole, part)
		if err != nil {
			c.a.err = err
			return c
		}
		if s.Gravity.Seeks() && whole != part {
			box, c = r.attend(i, s.Gravity, part, c)
		}
		c.picture, c.stands = c.extract(box), part
	case s.Mode.Pads():
		to := size{s.Width, s.Height}
		if to == whole {
			break
		}
		x, y := shifted(s, to.w-whole.w, to.h-whole.h)
		if s.Background == recipe.Blurred {
			c.picture, c.stands = c.within(rect{x, y, to.w, to.h}), to
			break
		}
		paper := r.paper
		if s.Background != "" {
			paper = read(s.Background)
		}
		im, values := paper.on(c.picture)
		c.picture, c.stands = im.embed(rect{x, y, to.w, to.h}, values), to
	}
	return c
}

func (r *run) crop(i int, s recipe.Crop, c canvas) canvas {
	box, err := cut(s, c.stands)
	if err != nil {
		c.a.err = err
		return c
	}
	have, span := c.size(), c.extent()
	x, y := span.w/float64(c.stands.w), span.h/float64(c.stands.h)
	real := rect{int(math.Round(float64(box.x) * x)), int(math.Round(float64(box.y) * y)),
		min(have.w, whole(float64(box.w)*x)), min(have.h, whole(float64(box.h)*y))}
	real.x, real.y = min(real.x, have.w-real.w), min(real.y, have.h-real.h)
	if s.Gravity.Seeks() && (real.w != have.w || real.h != have.h) {
		c = c.settled()
		real, c = r.attend(i, s.Gravity, size{real.w, real.h}, c)
	}
	c.picture, c.stands, c.span = c.extract(real), size{box.w, box.h}, extent{}
	return c
}

// attend finds what draws the eye, or has most in it, in the first frame that comes here. The picture is computed for it, and once only.
func (r *run) attend(i int, g recipe.Gravity, part size, c canvas) (rect, canvas) {
	c.picture = c.memory()
	box, known := r.focus[i]
	if !known {
		box = c.attention(g, part)
		r.focus[i] = box
	}
	return box, c
}

// trim cuts off the edges of one colour. An animation is cut as its first frame is, so that it keeps still.
func (r *run) trim(i int, s recipe.Trim, c canvas) canvas {
	c.picture = c.memory()
	box, known := r.focus[i]
	if !known {
		box = c.content(s.Tolerance)
		r.focus[i] = box
	}
	c.picture, c.stands = c.extract(box), size{box.w, box.h}
	return c
}

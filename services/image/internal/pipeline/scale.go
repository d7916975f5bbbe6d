package pipeline

import (
	"math"
	"slices"
)

// extent is a size that need not be whole: an original of 1001 pixels that a decoder reduces by 4 is 250.25 pixels wide, of which 250
// are there.
type extent struct{ w, h float64 }

func (s size) extent() extent { return extent{float64(s.w), float64(s.h)} }

func (s size) over(by int) extent {
	return extent{float64(s.w) / float64(by), float64(s.h) / float64(by)}
}

// extent is what the canvas' size stands for, in pixels of its picture.
func (c canvas) extent() extent {
	if c.span == (extent{}) {
		return c.size().extent()
	}
	return c.span
}

// drift is how far a result may be beside where it belongs, in pixels of the picture that it is made from.
const drift = 0.05

// resizeFrom brings a picture, of which a part stands for the whole, to a size: a quarter of a pixel that is taken for none costs a sharp
// photograph 6 dB. The part begins in the left upper corner.
func (im picture) resizeFrom(part extent, to size) picture {
	have := im.size()
	if part == have.extent() {
		return im.resize(to)
	}
	across, down := part.w/float64(to.w), part.h/float64(to.h)
	if im.reduces(across, down) {
		return im.reduce(part, to)
	}
	return im.stretch(size{aligned(have.w, across), aligned(have.h, down)}).weighted(func(im picture) picture {
		return im.scale(1/across, 1/down).fitted(to)
	})
}

// aligned is the length to which a picture's last pixel is repeated, so that libvips, which makes a whole number of pixels and leaves out
// as much on both sides of what is over, leaves out next to nothing.
func aligned(have int, shrink float64) int {
	best, least := have, math.Inf(1)
	for n := have; n < have+16 && least > drift; n++ {
		over := math.Abs(math.Round(float64(n)/shrink)*shrink-float64(n)) / 2
		if over < least {
			best, least = n, over
		}
	}
	return best
}

// stage is the original at a scale, kept because variants begin with it: one canvas a frame.
type stage struct {
	scale  float64
	frames []canvas
}

// reserve is by how much a picture must be larger than what is made of it, so that it is as good as the original.
const reserve = 2

// source is the scale, of some in falling order, of the picture that one of a scale is made from: the smallest that leaves enough, else the
// largest, which is none of these only when it is the one that is asked for.
func source(scales []float64, scale float64) float64 {
	from := scales[0]
	for _, s := range scales {
		if s == scale || s >= reserve*scale {
			from = s
		}
	}
	return from
}

// scales lists, in falling order, the scales at which the original is kept for a group: the largest that any variant begins with, those
// that others are made from, and those that several begin with. They follow from the recipe, the original's size and the limits alone.
func (j *call) scales(group []plan) []float64 {
	var all []float64
	times := map[float64]int{}
	for _, p := range group {
		if times[p.enough]++; times[p.enough] == 1 {
			all = append(all, p.enough)
		}
	}
	slices.SortFunc(all, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
	for i, s := range all {
		times[source(all[:max(1, i)], s)]++
	}
	kept := all[:1:1]
	for _, s := range all[1:] {
		if times[s] > 1 {
			kept = append(kept, s)
		}
	}
	if j.pixels(group, kept) > int64(j.engine.limits.Memory) {
		return kept[:1]
	}
	return kept
}

// pixels counts the bytes of a group's pictures at scales.
func (j *call) pixels(group []plan, scales []float64) (bytes int64) {
	bands := int64(3)
	if group[0].alpha {
		bands = 4
	}
	for _, s := range scales {
		bytes += int64(float64(group[0].from.pixels())*s*s) * bands * int64(group[0].frames)
	}
	return bytes
}

// cascade makes the stages of a group, each from a larger one: the first is there.
func (j *call) cascade(a *arena, group []plan, base []canvas) []stage {
	scales := j.scales(group)
	stages := []stage{{scales[0], base}}
	for i, s := range scales[1:] {
		at := stage{scale: s}
		for _, c := range of(stages, source(scales[:i+1], s)) {
			c.picture = held(c.picture, a, func(im picture) picture { return im.resize(reduced(group, s)) })
			at.frames = append(at.frames, c)
		}
		stages = append(stages, at)
	}
	return stages
}

// from gives the frames that a variant is made from.
func from(stages []stage, p plan) []canvas {
	var scales []float64
	for _, s := range stages {
		scales = append(scales, s.scale)
	}
	return of(stages, source(scales, p.enough))
}

func of(stages []stage, scale float64) []canvas {
	return stages[slices.IndexFunc(stages, func(s stage) bool { return s.scale == scale })].frames
}

// reduced gives the size of the original at a scale: if one is, that which a variant begins with.
func reduced(group []plan, scale float64) size {
	for _, p := range group {
		if p.enough == scale && p.first != (size{}) {
			return p.first
		}
	}
	whole := group[0].from
	return size{max(1, int(math.Round(float64(whole.w)*scale))), max(1, int(math.Round(float64(whole.h)*scale)))}
}

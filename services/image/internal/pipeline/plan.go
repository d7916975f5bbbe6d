package pipeline

import (
	"slices"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

// plan is a variant with what is known of it beforehand.
type plan struct {
	recipe.Variant
	forecast
	index  int
	format recipe.Format
	frames int
}

func (j *call) plan(i int, v recipe.Variant) (plan, error) {
	p := plan{Variant: v, index: i, frames: 1, format: outputFormat(v.Output.Format, j.header.Format, j.alpha)}
	c, ok := codecs[p.format]
	if !ok || !slices.Contains(capabilities().Save, string(p.format)) {
		return p, fault.New(fault.Invalid, CannotEncode, "the picture library of this node cannot write %s", p.format)
	}
	if c.animated && moves(j.header.Format) {
		p.frames = j.header.Frames
	}
	var err error
	if p.forecast, err = foresee(v.Steps, j.from); err != nil {
		return p, err
	}
	limit := j.engine.limits.Pixels
	switch {
	case p.largest > limit:
		return p, tooLarge("a step makes %s, where at most %s are made", mega(p.largest), mega(limit))
	case p.out.w > c.side || p.out.h > c.side:
		return p, tooLarge("%d x %d pixels, where %s holds at most %d on a side", p.out.w, p.out.h, p.format, c.side)
	case c.pixels > 0 && p.out.pixels() > c.pixels:
		return p, tooLarge("%s as %s, where at most %s are made: make it smaller, or choose jpeg", mega(p.out.pixels()), p.format, mega(c.pixels))
	case p.frames > 1 && p.out.pixels()*int64(p.frames) > j.engine.limits.AnimationPixels:
		return p, tooLarge("%d frames of %d x %d pixels, where at most %s in all are made", p.frames, p.out.w, p.out.h,
			mega(j.engine.limits.AnimationPixels))
	}
	return p, nil
}

func tooLarge(format string, args ...any) error {
	return fault.New(fault.Invalid, ResultTooLarge, "the result is too large: "+format, args...)
}

// groups splits the variants into those that share a decode: stills and animations need different ones, and what would not fit into
// memory together is made one by one.
func (j *call) groups() [][]plan {
	var groups [][]plan
	for _, animated := range []bool{false, true} {
		var group []plan
		for _, p := range j.plans {
			if animated == (p.frames > 1) {
				group = append(group, p)
			}
		}
		if len(group) > 1 && j.held(group) > int64(j.engine.limits.Memory) {
			for _, p := range group {
				groups = append(groups, []plan{p})
			}
		} else if len(group) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

// parts counts what progress is told in.
func (j *call) parts(groups [][]plan) int {
	n := len(j.plans)
	for _, g := range groups {
		if !j.streams(g) {
			n++
		}
	}
	return n
}

// enough is the scale to which the original may be reduced for all of a group.
func enough(group []plan) float64 {
	scale := 0.0
	for _, p := range group {
		scale = max(scale, p.enough)
	}
	return scale
}

// streams reports whether a group's one variant is made row by row, with nothing held. An animation is only when it must: every
// frame then keeps its own row buffers until the end.
func (j *call) streams(group []plan) bool {
	return len(group) == 1 && group[0].streams && j.orientation == 1 && (group[0].frames == 1 || j.held(group) > int64(j.engine.limits.Memory))
}

// held counts the bytes of pixels that a group keeps, unless it streams.
func (j *call) held(group []plan) int64 {
	s, bands := enough(group), int64(3)
	if j.alpha {
		bands = 4
	}
	return int64(float64(j.from.pixels())*s*s) * bands * int64(group[0].frames)
}

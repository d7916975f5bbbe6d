package pipeline

import (
	"runtime"
	"slices"

	"calotype/kit/fault"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// plan is a variant with what is known of it beforehand.
type plan struct {
	recipe.Variant
	forecast
	view
	index  int
	format recipe.Format
	frames int
}

// view is the page of an original that a variant is made of: the size is an upright one.
type view struct {
	page        int // from 0
	from        size
	stored      size // pixels that there are of it, upright: fewer where a reduced copy stands for the original
	orientation int
	alpha       bool
}

// look finds out what a page is, and whether it may be decoded: those of a TIFF differ.
func (j *call) look(page int) (view, error) {
	if page >= j.header.Frames {
		return view{}, fault.New(fault.Invalid, NoSuchPage, "there is no page %d: the original has %d", page+1, j.header.Frames)
	}
	v := j.first
	v.page = page
	if j.blind || page == 0 || moves(j.header.Format) {
		return v, nil
	}
	a := j.reins.arena()
	var pin runtime.Pinner
	defer pin.Unpin()
	defer a.free()
	src := open(a, &pin, j.data, j.header, reading{page: page, frames: 1})
	if a.err != nil {
		return v, refusal(j.ctx, a.err)
	}
	pic := describe(src, j.header, len(j.data))
	v.from, v.orientation, v.alpha = size{pic.Width, pic.Height}, pic.Orientation, pic.HasAlpha
	v.stored = v.from
	return v, j.engine.limits.admit(probe.Header{Format: j.header.Format, Width: pic.Width, Height: pic.Height, Frames: 1}, len(j.data))
}

func (j *call) plan(i int, v recipe.Variant) (plan, error) {
	p := plan{Variant: v, index: i, frames: 1}
	var err error
	if p.view, err = j.look(max(0, v.Output.Page-1)); err != nil {
		return p, err
	}
	p.format = outputFormat(v.Output.Format, j.format, p.alpha)
	c, ok := codecs[p.format]
	if !ok || !slices.Contains(capabilities().Save, string(p.format)) {
		return p, fault.New(fault.Invalid, CannotEncode, "the picture library of this node cannot write %s", p.format)
	}
	if v.Output.Palette && p.format == recipe.PNG && !capabilities().Palette {
		return p, fault.New(fault.Invalid, CannotEncode, "the picture library of this node cannot write a png with a palette")
	}
	if c.animated && moves(j.header.Format) && v.Output.Page == 0 {
		p.frames = j.header.Frames
	}
	if p.forecast, err = foresee(v.Steps, p.from); err != nil {
		return p, err
	}
	switch {
	case p.format == recipe.JSON:
		p.enough, p.first = measured(v.Steps, p.from), size{}
	case drawn(j.header.Format):
		p.enough, p.first = j.engine.limits.scaleOf(p.forecast, p.from), size{}
	case v.Output.Scaling == recipe.Best:
		p.enough, p.first = min(1, reserve*p.enough), size{}
	}
	p.streams = p.streams && !p.Output.Searches() // it is read several times
	if limit := j.engine.limits.Pixels; p.largest > limit {
		return p, tooLarge("a step makes %s, where at most %s are made", mega(p.largest), mega(limit))
	}
	return p, j.fits(p)
}

// fits refuses a result that is too large for its format.
func (j *call) fits(p plan) error {
	c := codecs[p.format]
	most := c.most(p.Output)
	switch {
	case p.out.w > c.side || p.out.h > c.side:
		return tooLarge("%d x %d pixels, where %s holds at most %d on a side", p.out.w, p.out.h, p.format, c.side)
	case most > 0 && p.out.pixels() > most:
		return tooLarge("%s as %s, where at most %s are made: make it smaller, or choose jpeg", mega(p.out.pixels()), p.format, mega(most))
	case p.frames > 1 && p.out.pixels()*int64(p.frames) > j.engine.limits.AnimationPixels:
		return tooLarge("%d frames of %d x %d pixels, where at most %s in all are made", p.frames, p.out.w, p.out.h,
			mega(j.engine.limits.AnimationPixels))
	}
	return nil
}

func tooLarge(format string, args ...any) error {
	return fault.New(fault.Invalid, ResultTooLarge, "the result is too large: "+format, args...)
}

// goesOn reports whether anything is done to a picture once it is as large as the first Resize makes it.
func (p plan) goesOn() bool { return len(p.Steps) > 1 || len(p.Steps) == 1 && p.first == size{} }

// groups splits the variants into those that share a decode: stills, animations, each page and each colour space need different ones, and what would not
// fit into memory together is made one by one.
func (j *call) groups() [][]plan {
	type decode struct {
		animated bool
		page     int
		space    recipe.Space
	}
	together := map[decode][]plan{}
	var order []decode
	for _, p := range j.plans {
		d := decode{p.frames > 1, p.page, p.Output.Space}
		if together[d] == nil {
			order = append(order, d)
		}
		together[d] = append(together[d], p)
	}
	var groups [][]plan
	for _, d := range order {
		group := together[d]
		if len(group) > 1 && j.held(group) > int64(j.engine.limits.Memory) {
			for _, p := range group {
				groups = append(groups, []plan{p})
			}
		} else {
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
	return len(group) == 1 && group[0].streams && group[0].orientation == 1 && (group[0].frames == 1 || j.held(group) > int64(j.engine.limits.Memory))
}

// held counts the bytes of pixels that a group keeps, unless it streams.
func (j *call) held(group []plan) int64 {
	return j.pixels(group, j.scales(group))
}

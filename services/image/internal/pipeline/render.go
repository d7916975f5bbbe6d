package pipeline

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// Rendered is one finished variant.
type Rendered struct {
	Name        string
	Format      string
	ContentType string
	Width       int
	Height      int // of one frame
	Pages       int
	Data        []byte
}

// VariantError says which variant could not be made; it unwraps to why.
type VariantError struct {
	Variant string
	Err     error
}

func (e *VariantError) Error() string { return fmt.Sprintf("variant %q: %v", e.Variant, e.Err) }

func (e *VariantError) Unwrap() error { return e.Err }

// VariantName gives the variant's name, for those who know errors and not this package.
func (e *VariantError) VariantName() string { return e.Variant }

// Render makes variants of an original, in their order, and all of them from one decode where they fit into Limits.Memory
// together. The recipe must be valid. It fails with fault.Invalid for what will fail again, as Inspect does or inside a VariantError,
// with fault.Deadline or fault.Canceled soon after ctx ends, and with fault.Internal when an encoder fails.
func (e *Engine) Render(ctx context.Context, data []byte, variants []recipe.Variant) ([]Rendered, error) {
	pic, err := e.Inspect(ctx, data)
	if err != nil {
		return nil, err
	}
	h, err := probe.Read(data)
	if err != nil {
		return nil, err
	}
	r, release := hold(ctx)
	defer release()
	j := &rendering{engine: e, ctx: ctx, data: data, header: h, from: size{pic.Width, pic.Height}, orientation: pic.Orientation,
		alpha: pic.HasAlpha, reins: r, results: make([]Rendered, len(variants))}
	for i, v := range variants {
		p, err := j.plan(i, v)
		if err != nil {
			return nil, &VariantError{v.Name, err}
		}
		j.plans = append(j.plans, p)
	}
	for _, group := range j.groups() {
		if err := j.render(group); err != nil {
			return nil, err
		}
	}
	return j.results, nil
}

// rendering is one call of Render.
type rendering struct {
	engine      *Engine
	ctx         context.Context
	data        []byte
	header      probe.Header
	from        size // upright
	orientation int
	alpha       bool
	reins       *reins
	plans       []plan
	results     []Rendered
	bytes       int64
}

// plan is a variant with what is known of it beforehand.
type plan struct {
	recipe.Variant
	forecast
	index  int
	format recipe.Format
	frames int
}

func (j *rendering) plan(i int, v recipe.Variant) (plan, error) {
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
func (j *rendering) groups() [][]plan {
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
func (j *rendering) streams(group []plan) bool {
	return len(group) == 1 && group[0].streams && j.orientation == 1 && (group[0].frames == 1 || j.held(group) > int64(j.engine.limits.Memory))
}

// held counts the bytes of pixels that a group keeps, unless it streams.
func (j *rendering) held(group []plan) int64 {
	s, bands := enough(group), int64(3)
	if j.alpha {
		bands = 4
	}
	return int64(float64(j.from.pixels())*s*s) * bands * int64(group[0].frames)
}

// render makes a group of variants from one decode.
func (j *rendering) render(group []plan) error {
	streams := j.streams(group)
	if held := j.held(group); held > int64(j.engine.limits.Memory) && !streams {
		return &VariantError{group[0].Name, tooLarge("these steps keep %d MiB of pixels, where at most %d are kept; reduce the size first",
			held>>20, j.engine.limits.Memory>>20)}
	}
	a := j.reins.arena()
	var pin runtime.Pinner
	defer pin.Unpin() // after the pictures that read these bytes are gone
	defer a.free()
	began := time.Now()
	base := j.base(a, &pin, group, streams)
	if a.err != nil {
		return refusal(j.ctx, a.err)
	}
	j.engine.observe("decode", j.header.Format, time.Since(began))
	for _, p := range group {
		if err := j.variant(p, base, streams); err != nil {
			return err
		}
	}
	return nil
}

// base decodes the original as small as the group allows: one canvas a frame, upright and in sRGB unless they are to be streamed.
func (j *rendering) base(a *arena, pin *runtime.Pinner, group []plan, streams bool) []canvas {
	scale, count := enough(group), group[0].frames
	strip := open(a, pin, j.data, j.header, j.reading(scale, count))
	frame := size{strip.size().w, strip.size().h / count}
	want := size{whole(float64(j.from.w) * scale), whole(float64(j.from.h) * scale)}
	if j.orientation >= 5 {
		want = want.turned()
	}
	var base []canvas
	for i := range count {
		box := rect{0, i * frame.h, frame.w, frame.h}
		c := canvas{picture: strip, stands: j.from, raw: streams}
		if streams {
			c.picture = strip.extract(box)
		} else {
			c.picture = held(strip, a, func(im picture) picture {
				im = im.extract(box)
				if scale < 1 && frame.w > want.w && frame.h > want.h {
					im = im.resize(want)
				}
				return im.settle()
			}).orient()
		}
		base = append(base, c)
	}
	return base
}

// reading says how little of the original need be decoded for a scale.
func (j *rendering) reading(scale float64, frames int) reading {
	how := reading{shrink: 1, scale: 1, frames: 1}
	switch {
	case frames > 1:
		how.frames = -1
	case j.header.Format == probe.JPEG:
		for how.shrink < 8 && float64(how.shrink*2)*scale <= 1 {
			how.shrink *= 2
		}
	case j.header.Format == probe.WebP && scale < 0.5:
		how.scale = scale * 2 // libwebp reduces roughly; the other half is done well
	}
	return how
}

// held computes f of a picture, keeps the pixels in an arena and frees what led to them.
func held(im picture, keep *arena, f func(picture) picture) picture {
	a := keep.reins.arena()
	defer a.free()
	done := f(im.in(a)).memory()
	if a.err != nil {
		if keep.err == nil {
			keep.err = a.err
		}
		return picture{a: keep}
	}
	return keep.adopt(done)
}

// variant makes one variant of the base.
func (j *rendering) variant(p plan, base []canvas, streams bool) error {
	began := time.Now()
	a := j.reins.arena()
	defer a.free()
	r := &run{steps: p.Steps, paper: read(p.Output.Background), focus: map[int]rect{}}
	if r.paper[3] == 0 && !codecs[p.format].alpha {
		r.paper = white
	}
	var done []picture
	for _, c := range base {
		c.picture = c.in(a)
		done = append(done, r.apply(c))
	}
	out := done[0].size()
	data := frames(a, done).encode(p.Output, p.format, p.out.pixels()*int64(p.frames))
	if a.err != nil {
		return j.explain(a, base, p, streams)
	}
	if j.bytes += int64(len(data)); j.bytes > int64(j.engine.limits.OutputBytes) {
		return &VariantError{p.Name, tooLarge("all results together are more than %d MiB", j.engine.limits.OutputBytes>>20)}
	}
	j.engine.observe("encode", string(p.format), time.Since(began))
	j.results[p.index] = Rendered{Name: p.Name, Format: string(p.format), ContentType: p.format.ContentType(),
		Width: out.w, Height: out.h, Pages: p.frames, Data: data}
	return nil
}

// explain finds out whose fault a failed variant is. A base that was decoded before is in order; a streamed one is read once more.
func (j *rendering) explain(a *arena, base []canvas, p plan, streams bool) error {
	err := a.err
	switch {
	case j.ctx.Err() != nil:
		return stopped(j.ctx)
	case fault.As(err) != nil:
		return &VariantError{p.Name, err}
	case streams && !readable(j.data):
		return refusal(j.ctx, err)
	}
	return &VariantError{p.Name, fault.Wrap(err, fault.Internal, "ENCODE_FAILED", "the result could not be encoded as %s", p.format)}
}

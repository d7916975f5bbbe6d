package pipeline

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
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
// with fault.Deadline or fault.Canceled soon after ctx ends, and with fault.Internal when an encoder fails. Tell, unless it is nil, hears
// now and then, one call at a time, how far the rendering is; it must not wait for anything.
func (e *Engine) Render(ctx context.Context, in job.Input, variants []recipe.Variant, tell func(job.Progress)) ([]Rendered, error) {
	data := in.Data
	pic, h, err := e.inspect(ctx, data)
	if err != nil {
		return nil, err
	}
	h.Frames = max(h.Frames, pic.Pages) // a document's are counted by its renderer
	r, release := hold(ctx)
	defer release()
	j := &call{engine: e, ctx: ctx, data: data, header: h, reins: r, results: make([]Rendered, len(variants)),
		format: h.Format,
		first:  view{from: size{pic.Width, pic.Height}, stored: size{pic.Width, pic.Height}, orientation: pic.Orientation, alpha: pic.HasAlpha}}
	if in.Stands != nil {
		j.first.from, j.format = size{in.Stands.Width, in.Stands.Height}, in.Stands.Format
	}
	if err := j.admit(in.Layers, variants); err != nil {
		return nil, err
	}
	for i, v := range variants {
		p, err := j.plan(i, v)
		if err != nil {
			return nil, &VariantError{v.Name, err}
		}
		j.plans = append(j.plans, p)
	}
	groups := j.groups()
	if j.weight(groups, in.Layers) >= heavy {
		defer Release()
	}
	j.progress = &progress{tell: tell, reins: r, parts: j.parts(groups)}
	defer j.progress.watch()()
	for _, group := range groups {
		if err := j.render(group); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil { // what was read of the original since then means nothing
		return nil, stopped(ctx)
	}
	return j.results, nil
}

// call is one call of Render.
type call struct {
	engine   *Engine
	ctx      context.Context
	data     []byte
	header   probe.Header
	format   string // the original's
	first    view
	reins    *reins
	progress *progress
	layers   map[string]layer // what overlays name, by digest
	plans    []plan
	results  []Rendered
	bytes    int64
	blind    bool // nothing is opened, as there is only to be told what it would cost
}

// render makes a group of variants from one decode.
func (j *call) render(group []plan) error {
	streams := j.streams(group)
	if held := j.held(group); held > int64(j.engine.limits.Memory) && !streams {
		return &VariantError{group[0].Name, tooLarge("these steps keep %d MiB of pixels, where at most %d are kept; reduce the size first",
			held>>20, j.engine.limits.Memory>>20)}
	}
	a := j.reins.arena()
	a.space = group[0].Output.Space
	var pin runtime.Pinner
	defer pin.Unpin() // after the pictures that read these bytes are gone
	defer a.free()
	began := time.Now()
	if !streams {
		j.progress.begin(decoding)
	}
	base := j.base(a, &pin, group, streams)
	if a.err != nil {
		return refusal(j.ctx, a.err)
	}
	if !streams {
		j.progress.finish()
	}
	j.engine.observe("decode", j.header.Format, time.Since(began))
	stages := j.cascade(a, group, base)
	if a.err != nil {
		return refusal(j.ctx, a.err)
	}
	for _, p := range group {
		j.progress.begin(rendering)
		if err := j.variant(p, from(stages, p), streams, len(group) == 1); err != nil {
			return err
		}
		j.progress.finish()
	}
	return nil
}

// base decodes the original as small as the group allows: one canvas a frame, upright and in sRGB unless they are to be streamed.
func (j *call) base(a *arena, pin *runtime.Pinner, group []plan, streams bool) []canvas {
	scale, count, view := enough(group), group[0].frames, group[0].view
	how := j.reading(view.page, scale, count)
	if view.stored != view.from && j.header.Format == probe.JPEG {
		how.shrink = view.shrink(scale)
	}
	from := a
	if !streams { // the decoder goes before anything is encoded: it may hold the whole picture
		from = a.part()
		defer from.free()
	}
	strip := open(from, pin, j.data, j.header, how)
	if !slices.ContainsFunc(group, func(p plan) bool { return p.Output.KeepMetadata }) {
		strip.forget()
	}
	frame := size{strip.size().w, strip.size().h / count}
	want, span := reduced(group, scale), frame.extent()
	if how.shrink > 1 {
		span = view.stored.over(how.shrink)
	}
	if view.orientation >= 5 {
		want = want.turned()
		if how.shrink > 1 {
			span = extent{span.h, span.w}
		}
	}
	var base []canvas
	for i := range count {
		box := rect{0, i * frame.h, frame.w, frame.h}
		c := canvas{picture: strip, stands: view.from, raw: streams}
		if streams {
			c.picture, c.span = strip.extract(box), span
		} else {
			keep := a
			if count > 1 { // see variant
				keep = a.part()
			}
			c.picture = held(strip, keep, func(im picture) picture {
				im = im.extract(box)
				if scale < 1 && frame.w >= want.w && frame.h >= want.h {
					im = im.resizeFrom(span, want)
				}
				return im.settle()
			}).orient()
			a.failed(keep)
		}
		base = append(base, c)
	}
	return base
}

// reading says how little of the original need be decoded for a scale.
func (j *call) reading(page int, scale float64, frames int) reading {
	how := reading{shrink: 1, scale: 1, page: page, frames: 1}
	switch {
	case drawn(j.header.Format):
		how.scale = scale
	case frames > 1:
		how.frames = -1
	case j.header.Format == probe.JPEG:
		for how.shrink < 8 && float64(how.shrink*2)*scale <= 1 {
			how.shrink *= 2
		}
	case j.header.Format == probe.WebP && scale < 0.5 && page == 0: // a later frame is put together of parts, which would not meet
		how.scale = scale * 2 // libwebp reduces roughly; the other half is done well
	}
	return how
}

// held computes f of a picture, keeps the pixels in an arena and frees what led to them.
func held(im picture, keep *arena, f func(picture) picture) picture {
	a := keep.reins.arena()
	a.space = keep.space
	defer a.free()
	done := f(im.in(a)).memory()
	if a.err != nil {
		keep.failed(a)
		return picture{a: keep}
	}
	return keep.adopt(done)
}

// variant makes one variant of the base, which is for no other when it is the last.
func (j *call) variant(p plan, base []canvas, streams, last bool) error {
	began := time.Now()
	a := j.reins.arena()
	a.space = p.Output.Space
	defer a.free()
	r := &run{steps: p.Steps, paper: read(p.Output.Background), focus: map[int]rect{}, most: j.engine.limits.Pixels, over: j.overlays(a, base, streams)}
	if r.paper[3] == 0 && !codecs[p.format].alpha {
		r.paper = white
	}
	var done []picture
	for _, c := range base {
		if p.frames > 1 && !streams && p.goesOn() { // one after the other: the buffers of all their steps take many times what frames do
			frame := c.picture.a
			done = append(done, held(c.picture, a, func(im picture) picture {
				c.picture = im
				return r.apply(c)
			}))
			if last {
				frame.free()
			}
			continue
		}
		c.picture = c.in(a)
		if drawn(j.header.Format) { // for another variant it may have been made larger
			c.picture, c.span = c.resize(size{whole(float64(c.stands.w) * p.enough), whole(float64(c.stands.h) * p.enough)}), extent{}
		}
		done = append(done, r.apply(c))
	}
	out := done[0].size()
	if p.format == recipe.JSON { // of a smaller copy
		out = r.stands
	}
	if p.out = out; p.trims && a.err == nil {
		a.err = j.fits(p)
	}
	data := j.write(a, done, p)
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
func (j *call) explain(a *arena, base []canvas, p plan, streams bool) error {
	err := a.err
	switch {
	case j.ctx.Err() != nil:
		return stopped(j.ctx)
	case fault.As(err) != nil:
		return &VariantError{p.Name, err}
	case streams && !readable(j.data, p.page, j.engine.allowed...):
		return refusal(j.ctx, err)
	}
	return &VariantError{p.Name, fault.Wrap(err, fault.Internal, "ENCODE_FAILED", "the result could not be encoded as %s", p.format)}
}

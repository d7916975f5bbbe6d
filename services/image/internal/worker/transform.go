package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"calotype/kit/flight"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Transformer answers who waits.
type Transformer struct {
	slots   *slots
	looks   *slots // looking at a file takes no pixels and no time: it does not wait behind those who render
	parts   Parts
	timeout time.Duration
	runs    flight.Group[string, []Made]
}

// Made is one result with its bytes.
type Made struct {
	job.Result
	Data []byte
}

// Inspect says what a stored blob is. Fails as Originals.Open and Engine.Inspect do, and with fault.Unavailable when the node is busy.
func (t *Transformer) Inspect(ctx context.Context, d job.Digest) (job.Picture, error) {
	return within(ctx, t.looks, callers, t.timeout, func(ctx context.Context) (job.Picture, error) {
		in, err := t.parts.open(ctx, d, recipe.Recipe{})
		if err != nil {
			return job.Picture{}, err
		}
		return t.parts.Engine.Inspect(ctx, in.Data)
	})
}

// transform is one run of Transform.
func (t *Transformer) transform(ctx context.Context, d job.Digest, r recipe.Recipe) ([]Made, error) {
	h, err := t.slots.take(ctx, callers)
	if err != nil {
		return nil, err
	}
	defer h.drop()
	w, err := in(ctx, h, t.timeout, func(ctx context.Context) (work, error) {
		in, err := t.parts.open(ctx, d, r)
		if err != nil {
			return work{}, err
		}
		return t.parts.prepare(ctx, d, in, r)
	})
	if err != nil {
		return nil, err
	}
	return t.parts.made(ctx, h, w, t.timeout, nil)
}

// Abilities says what the node can do. Nothing is worked on for it.
func (t *Transformer) Abilities() job.Abilities { return t.parts.Abilities() }

// open fetches an original, or the copy of it that is enough, and what else a recipe needs.
func (p Parts) open(ctx context.Context, d job.Digest, r recipe.Recipe) (in job.Input, err error) {
	in, ok := p.kept(d, r)
	if !ok {
		if in.Data, err = p.Originals.Open(ctx, d, p.Limit()); err != nil {
			return in, err
		}
		p.Metrics.read(len(in.Data))
	}
	in.Layers, err = p.layers(ctx, r)
	return in, err
}

// work is what is to be made of what.
type work struct {
	digest   job.Digest
	in       job.Input
	variants []recipe.Variant // resolved
	weight   int64            // bytes of memory
}

// prepare finds out what is to be made, and what memory that takes.
func (p Parts) prepare(ctx context.Context, d job.Digest, in job.Input, r recipe.Recipe) (work, error) {
	r, err := p.resolve(ctx, in, r)
	if err != nil {
		return work{}, err
	}
	w := work{digest: d, in: in, variants: r.Variants}
	if p.Weigh != nil {
		w.weight = p.Weigh(in, r.Variants)
	}
	return w, nil
}

// made does work in a slot once there is memory for it. The time limit begins then.
func (p Parts) made(ctx context.Context, h *hold, w work, limit time.Duration, tell func(job.Progress)) ([]Made, error) {
	if err := h.admit(ctx, w.weight); err != nil {
		return nil, err
	}
	return in(ctx, h, limit, func(ctx context.Context) ([]Made, error) { return p.render(ctx, w, tell) })
}

// render makes variants of an original; it is called within a slot.
func (p Parts) render(ctx context.Context, w work, tell func(job.Progress)) ([]Made, error) {
	in, err := p.reduce(ctx, w.digest, w.in, w.variants, tell)
	if err != nil {
		return nil, err
	}
	done, err := p.Engine.Render(ctx, in, w.variants, tell)
	if err != nil {
		return nil, err
	}
	made := make([]Made, len(done))
	for i, v := range done {
		sum := sha256.Sum256(v.Data)
		made[i] = Made{Data: v.Data, Result: job.Result{
			Name: v.Name, Key: recipe.Key(string(w.digest), w.variants[i], recipe.EngineVersion), Digest: job.Digest(hex.EncodeToString(sum[:])),
			Size: int64(len(v.Data)), Format: v.Format, ContentType: v.ContentType, Width: v.Width, Height: v.Height, Pages: v.Pages,
		}}
		p.Metrics.wrote(len(v.Data))
	}
	return made, nil
}

// resolve fills in a recipe's defaults. They depend on the original only where the format is left to it.
func (p Parts) resolve(ctx context.Context, in job.Input, r recipe.Recipe) (recipe.Recipe, error) {
	var src recipe.Source
	for _, v := range r.Variants {
		if v.Output.Format != recipe.Original {
			continue
		}
		if in.Stands != nil {
			src = source(*in.Stands)
			break
		}
		pic, err := p.Engine.Inspect(ctx, in.Data)
		if err != nil {
			return recipe.Recipe{}, err
		}
		src = source(pic)
		break
	}
	return r.Resolve(src)
}

package app

import (
	"context"
	"fmt"
	"sync/atomic"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

// What an engine is written with, for who stands outside of the service: one that makes nothing measures all the rest, one that
// crashes shows what becomes of the others.
type (
	// Engine makes pictures of pictures.
	Engine = worker.Engine
	// Picture is what Inspect finds.
	Picture = job.Picture
	// Input is what Render makes pictures of.
	Input = job.Input
	// Variant is what Render is to make.
	Variant = recipe.Variant
	// Rendered is what it made.
	Rendered = worker.Rendered
	// Progress is how far it is.
	Progress = job.Progress
	// Digest names a blob.
	Digest = job.Digest
)

// Blobs is where originals come from and results go to.
type Blobs interface {
	worker.Originals
	worker.Results
}

// WithEngine works with what wrap makes of the node's own engine.
func WithEngine(wrap func(Engine) Engine) Option { return func(o *options) { o.wrap = wrap } }

// WithBlobs works with other blobs than those of the storage service.
func WithBlobs(b Blobs) Option { return func(o *options) { o.blobs = b } }

// engine is the pipeline as the use cases know it. What limits it may change: a call ends with the limits that it began with.
type engine struct {
	now  atomic.Pointer[pipeline.Engine]
	used atomic.Int64 // calls so far
}

// Inspect implements Engine.
func (e *engine) Inspect(ctx context.Context, data []byte) (Picture, error) {
	e.used.Add(1)
	return e.now.Load().Inspect(ctx, data)
}

// abilities is what the engine can do.
func (e *engine) abilities() job.Abilities { return e.now.Load().Abilities() }

func (e *engine) calls() int64 { return e.used.Load() }

// limit is the most bytes of an original.
func (e *engine) limit() int64 { return int64(e.now.Load().Limits().Bytes) }

func (e *engine) weigh(in Input, variants []Variant) int64 { return e.now.Load().Weigh(in, variants) }

// weigh foresees what a call takes, with the reduced copy that may be made for it first.
func weigh(cfg Config, e decoder) func(Input, []Variant) int64 {
	m := cfg.Worker.Mezzanine
	return func(in Input, variants []Variant) int64 {
		bytes := e.weigh(in, variants)
		if m > 0 && in.Stands == nil && m.Reduces(in.Data) {
			bytes = max(bytes, e.weigh(in, []Variant{m.Copy()}))
		}
		return bytes
	}
}

func (e *engine) settings() string { return describe(e.now.Load()) }

// describe tells what an engine's pictures follow from, beside original and recipe.
func describe(e *pipeline.Engine) string {
	return fmt.Sprintf("%+v libvips %s", e.Limits(), Capabilities().Version)
}

// Render implements Engine.
func (e *engine) Render(ctx context.Context, in Input, variants []Variant, tell func(Progress)) ([]Rendered, error) {
	e.used.Add(1)
	done, err := e.now.Load().Render(ctx, in, variants, tell)
	out := make([]Rendered, len(done))
	for i, r := range done {
		out[i] = Rendered(r)
	}
	return out, err
}

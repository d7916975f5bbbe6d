// Package mezzanine puts reduced copies in the place of large originals, for variants that are much smaller still. A copy is made once, by
// the engine, and kept where originals are. Whether one is used follows from the original, the variants and the settings, never from what
// is kept. It knows no picture library.
package mezzanine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/fault"
	"calotype/kit/flight"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

// Rule says what copies are like, and for what they are enough.
type Rule interface {
	// Copy is the variant of an original that is its copy.
	Copy() recipe.Variant
	// Reduces reports, after a quick look, whether a file may be an original of which copies are made.
	Reduces(data []byte) bool
	// Suits reports whether resolved variants may be made of an original's copy.
	Suits(original job.Picture, variants []recipe.Variant) bool
}

// Store keeps what is made of originals. Its methods may be called concurrently.
type Store interface {
	// Kept gives what was kept under a key, whole, or nil.
	Kept(key job.Digest) []byte
	// Keep keeps data, which nobody writes to, for as long as it sees fit.
	Keep(key job.Digest, data []byte)
}

// Copies implements worker.Copies.
type Copies struct {
	rule   Rule
	engine worker.Engine
	store  Store
	// settings are what else the engine goes by.
	settings func() string
	making   flight.Group[job.Digest, []byte]
	metrics  *metrics
}

// New makes Copies.
func New(rule Rule, engine worker.Engine, store Store, settings func() string, registry prometheus.Registerer) *Copies {
	return &Copies{rule: rule, engine: engine, store: store, settings: settings, metrics: newMetrics(registry)}
}

// Kept implements worker.Copies.
func (c *Copies) Kept(d job.Digest, resolve func(job.Picture) ([]recipe.Variant, error)) (job.Input, bool) {
	original, data, ok := read(c.store.Kept(c.key(d)))
	if !ok {
		return job.Input{}, false
	}
	variants, err := resolve(original)
	if err != nil || !c.rule.Suits(original, variants) {
		return job.Input{}, false
	}
	c.metrics.count(used)
	return job.Input{Data: data, Stands: &original}, true
}

// Reduce implements worker.Copies.
func (c *Copies) Reduce(ctx context.Context, d job.Digest, in job.Input, variants []recipe.Variant) (job.Input, error) {
	if in.Stands != nil || !c.rule.Reduces(in.Data) {
		return in, nil
	}
	original, err := c.engine.Inspect(ctx, in.Data)
	if err != nil {
		return in, worthy(err)
	}
	if !c.rule.Suits(original, variants) {
		c.metrics.count(unsuited)
		return in, nil
	}
	key := c.key(d)
	kept, _, err := c.making.Do(ctx, key, func(ctx context.Context) ([]byte, error) {
		if kept := c.store.Kept(key); kept != nil { // it was made meanwhile
			return kept, nil
		}
		return c.make(ctx, key, original, in.Data)
	})
	if err != nil {
		return in, worthy(err)
	}
	stands, data, ok := read(kept)
	if !ok {
		return in, nil
	}
	c.metrics.count(used)
	in.Data, in.Stands = data, &stands
	return in, nil
}

// make makes the copy of an original, and keeps it.
func (c *Copies) make(ctx context.Context, key job.Digest, original job.Picture, data []byte) ([]byte, error) {
	made, err := c.engine.Render(ctx, job.Input{Data: data}, []recipe.Variant{c.rule.Copy()}, nil)
	if err != nil {
		c.metrics.count(failed)
		return nil, err
	}
	kept, err := write(original, made[0].Data)
	if err != nil {
		return nil, err
	}
	c.metrics.made(len(made[0].Data))
	c.store.Keep(key, kept)
	return kept, nil
}

// worthy drops what is wrong with the picture: the engine finds it again, in what was asked for, or does without a copy that cannot be.
func worthy(err error) error {
	if fault.Is(err, fault.Invalid) {
		return nil
	}
	return err
}

// key names the copy of an original. Whatever its bytes follow from is part of it.
func (c *Copies) key(d job.Digest) job.Digest {
	sum := sha256.Sum256(fmt.Appendf(nil, "mezzanine %s %+v %s %s", d, c.rule.Copy(), recipe.EngineVersion, c.settings()))
	return job.Digest(hex.EncodeToString(sum[:]))
}

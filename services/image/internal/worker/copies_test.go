package worker

import (
	"context"
	"errors"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// copies has one of each original, once it was asked to reduce it.
type copies struct {
	original job.Picture
	there    bool
	err      error
	asked    []recipe.Variant
}

func (c *copies) Kept(_ job.Digest, resolve func(job.Picture) ([]recipe.Variant, error)) (job.Input, bool) {
	if !c.there {
		return job.Input{}, false
	}
	var err error
	c.asked, err = resolve(c.original)
	return job.Input{Data: []byte("copy"), Stands: &c.original}, err == nil
}

func (c *copies) Reduce(_ context.Context, _ job.Digest, in job.Input, variants []recipe.Variant) (job.Input, error) {
	if c.err != nil {
		return in, c.err
	}
	c.there, c.asked = true, variants
	in.Data, in.Stands = []byte("copy"), &c.original
	return in, nil
}

func TestCopiesStandForOriginals(t *testing.T) {
	b := newBench(t)
	fetched := 0
	b.open = func(context.Context) ([]byte, error) {
		fetched++
		return []byte("original"), nil
	}
	of := &copies{original: job.Picture{Format: "avif", Width: 6000, Height: 4000, Pages: 1}}
	w := b.worker()
	w.Transformer.parts.Copies = of
	r := recipe.Recipe{Variants: []recipe.Variant{{Name: "same", Steps: thumb().Steps}}} // its format is left to the original
	for range 3 {
		made, err := w.Transformer.Transform(t.Context(), digest, r)
		if err != nil || len(made) != 1 {
			t.Fatal(made, err)
		}
		if string(b.seen.Data) != "copy" || *b.seen.Stands != of.original || len(of.asked) != 1 || of.asked[0].Output.Format == recipe.Original {
			t.Errorf("made of %s, asked for %+v", b.seen.Data, of.asked)
		}
	}
	if fetched != 1 || b.inspected != 1 {
		t.Errorf("the original was fetched %d times and looked at %d times", fetched, b.inspected)
	}
	if _, err := w.Transformer.Inspect(t.Context(), digest); err != nil || fetched != 2 {
		t.Errorf("a copy was looked at: %v", err)
	}
	of.there, of.err = false, errors.New("stopped")
	if _, err := w.Transformer.Transform(t.Context(), digest, r); !errors.Is(err, of.err) {
		t.Errorf("got %v", err)
	}
}

package worker

import (
	"context"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

func TestTransform(t *testing.T) {
	b := newBench(t)
	w := b.worker()
	made, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{thumb()}})
	if err != nil || len(made) != 1 || string(made[0].Data) != "thumb" || made[0].Size != 5 || !made[0].Digest.Valid() {
		t.Fatalf("made %+v, %v", made, err)
	}
	if b.inspected != 0 {
		t.Error("the original was looked at, though nothing was left to it")
	}
	// A format that is left to the original follows from what it is; the key tells what was made.
	open := recipe.Variant{Name: "same", Steps: thumb().Steps}
	made, err = w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{open}})
	if err != nil || made[0].Format != "png" {
		t.Fatalf("made %+v, %v", made, err)
	}
	resolved, err := open.Resolve(recipe.Source{Format: "png", HasAlpha: true})
	if err != nil || made[0].Key != recipe.Key(string(digest), resolved, recipe.EngineVersion) {
		t.Errorf("key %s, %v", made[0].Key, err)
	}
}

func TestTransformFails(t *testing.T) {
	b := newBench(t)
	w := b.worker()
	wrong := thumb()
	wrong.Steps = []recipe.Step{recipe.Blur{Sigma: 1000}}
	if _, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{wrong}}); fault.ReasonOf(err) != "BAD_RECIPE" {
		t.Errorf("got %v", err)
	}
	missing := fault.New(fault.NotFound, "", "no such blob")
	b.open = func(context.Context) ([]byte, error) { return nil, missing }
	if _, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{thumb()}}); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := w.Transformer.Inspect(t.Context(), digest); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestInspect(t *testing.T) {
	p, err := newBench(t).worker().Transformer.Inspect(t.Context(), digest)
	if err != nil || p != (job.Picture{Format: "png", HasAlpha: true, Width: 7}) {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if f := DefaultConfig().Validate(); len(f) > 0 {
		t.Errorf("the defaults: %v", f)
	}
	if f := (Config{Slots: -1, Waiting: -1}).Validate(); len(f) != 7 {
		t.Errorf("found %d faults: %v", len(f), f)
	}
}

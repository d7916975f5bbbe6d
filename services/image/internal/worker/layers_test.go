package worker

import (
	"slices"
	"strings"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

var logo, frame, gone = job.Digest(strings.Repeat("a", 64)), job.Digest(strings.Repeat("b", 64)), job.Digest(strings.Repeat("c", 64))

func marked(layers ...job.Digest) recipe.Variant {
	v := thumb()
	for _, d := range layers {
		v.Steps = append(v.Steps, recipe.Overlay{Digest: string(d)})
	}
	return v
}

// Each overlay is fetched once, by callers and by jobs, and reaches the engine; the key tells them.
func TestLayersAreFetchedOnce(t *testing.T) {
	b := newBench(t)
	b.layers = map[job.Digest][]byte{logo: []byte("logo"), frame: []byte("frame")}
	w := b.worker()
	second := marked(frame)
	second.Name = "second"
	made, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{marked(logo, logo, frame), second}})
	if err != nil || !slices.Equal(b.opened, []job.Digest{logo, frame}) || string(b.seen.Layers[logo]) != "logo" || string(b.seen.Layers[frame]) != "frame" {
		t.Fatalf("%v, opened %v", err, b.opened)
	}
	plain, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{thumb()}})
	if err != nil || len(b.seen.Layers) != 0 || plain[0].Key == made[0].Key || made[0].Key == made[1].Key {
		t.Errorf("%v, layers %v, keys %v", err, b.seen.Layers, plain[0].Key)
	}
	b.opened = nil
	if v := w.Consumer.handle(t.Context(), delivery(t, 1, marked(logo))); v != job.Done() || len(b.opened) != 1 || string(b.seen.Layers[logo]) != "logo" {
		t.Errorf("a job: %v, opened %v", v, b.opened)
	}
}

// What is wrong with an overlay is told apart from what is wrong with the original, and ends a job where it stays so.
func TestLayersThatCannotBeUsed(t *testing.T) {
	b := newBench(t)
	b.layers = map[job.Digest][]byte{logo: make([]byte, 600), frame: make([]byte, 401), gone: nil}
	w := b.worker()
	for reason, v := range map[string]recipe.Variant{
		OverlayGone: marked(gone), OverlaysTooMany: marked(logo, frame),
		"BAD_RECIPE": {Name: "v", Steps: []recipe.Step{recipe.Overlay{Image: "img_1"}}},
	} {
		if _, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{v}}); fault.ReasonOf(err) != reason {
			t.Errorf("got %v, want %s", err, reason)
		}
		b.reports = nil
		w.Consumer.handle(t.Context(), delivery(t, 1, v))
		if last := b.reports[len(b.reports)-1]; last.Kind != job.GaveUp || last.Failure.Reason != reason || last.Failure.Message == "" {
			t.Errorf("a job told %+v, %+v", last, last.Failure)
		}
	}
}

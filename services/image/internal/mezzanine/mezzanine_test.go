package mezzanine

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

// world is an engine, a rule and a store, without pictures: files that begin with "large" are reduced, and variants suit whose name is
// "small".
type world struct {
	worker.Engine
	looks, renders atomic.Int64
	render         func(ctx context.Context) error

	mu   sync.Mutex
	kept map[job.Digest][]byte
}

func (w *world) Copy() recipe.Variant     { return recipe.Variant{Name: "copy"} }
func (w *world) Reduces(data []byte) bool { return bytes.HasPrefix(data, []byte("large")) }
func (w *world) Suits(_ job.Picture, variants []recipe.Variant) bool {
	for _, v := range variants {
		if v.Name != "small" {
			return false
		}
	}
	return true
}

func (w *world) Inspect(context.Context, []byte) (job.Picture, error) {
	w.looks.Add(1)
	return job.Picture{Format: "heic", Width: 6000, Height: 4000, Pages: 1}, nil
}

func (w *world) Render(ctx context.Context, in job.Input, variants []recipe.Variant, _ func(job.Progress)) ([]worker.Rendered, error) {
	w.renders.Add(1)
	if w.render != nil {
		if err := w.render(ctx); err != nil {
			return nil, err
		}
	}
	return []worker.Rendered{{Name: variants[0].Name, Data: append([]byte("copy of "), in.Data...)}}, nil
}

func (w *world) Kept(key job.Digest) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept[key]
}

func (w *world) Keep(key job.Digest, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept == nil {
		w.kept = map[job.Digest][]byte{}
	}
	w.kept[key] = data
}

func begin(t *testing.T) (*world, *Copies, *atomic.Pointer[string]) {
	t.Helper()
	w := &world{}
	var settings atomic.Pointer[string]
	first := "64 megapixels"
	settings.Store(&first)
	return w, New(w, w, w, func() string { return *settings.Load() }, prometheus.NewRegistry()), &settings
}

func (c *Copies) counted(outcome string) int {
	return int(testutil.ToFloat64(c.metrics.outcomes.WithLabelValues(outcome)))
}

var (
	small = []recipe.Variant{{Name: "small"}}
	large = []recipe.Variant{{Name: "small"}, {Name: "large"}}
	photo = job.Input{Data: []byte("large photograph"), Layers: map[job.Digest][]byte{"l": nil}}
)

func TestACopyIsMadeOnce(t *testing.T) {
	w, c, settings := begin(t)
	as := func(variants []recipe.Variant) func(job.Picture) ([]recipe.Variant, error) {
		return func(pic job.Picture) ([]recipe.Variant, error) {
			if pic.Format != "heic" {
				t.Errorf("resolved for %+v", pic)
			}
			return variants, nil
		}
	}
	if _, ok := c.Kept("d", as(small)); ok {
		t.Error("kept before it was made")
	}
	for range 3 {
		in, err := c.Reduce(t.Context(), "d", photo, small)
		if err != nil || string(in.Data) != "copy of large photograph" || in.Stands == nil || in.Stands.Width != 6000 || len(in.Layers) != 1 {
			t.Fatalf("%s, %+v, %v", in.Data, in.Stands, err)
		}
		if again, err := c.Reduce(t.Context(), "d", in, small); err != nil || &again.Data[0] != &in.Data[0] {
			t.Errorf("a copy of a copy: %s, %v", again.Data, err)
		}
		if kept, ok := c.Kept("d", as(small)); !ok || !bytes.Equal(kept.Data, in.Data) || *kept.Stands != *in.Stands {
			t.Errorf("kept is %s, %+v", kept.Data, kept.Stands)
		}
		if _, ok := c.Kept("d", as(large)); ok {
			t.Error("a copy for what it is not enough for")
		}
		if in, err := c.Reduce(t.Context(), "d", photo, large); err != nil || in.Stands != nil || !bytes.Equal(in.Data, photo.Data) {
			t.Errorf("for large variants: %s, %v", in.Data, err)
		}
	}
	if w.renders.Load() != 1 || c.counted(made) != 1 || c.counted(used) != 6 || c.counted(unsuited) != 3 {
		t.Errorf("%d renderings; made %d, used %d, unsuited %d", w.renders.Load(), c.counted(made), c.counted(used), c.counted(unsuited))
	}
	if _, ok := c.Kept("other", as(small)); ok {
		t.Error("another original has the same copy")
	}
	other := "32 megapixels"
	settings.Store(&other)
	if _, ok := c.Kept("d", as(small)); ok {
		t.Error("with other settings the same copy is taken")
	}
}

func TestWhatIsSmallIsLeftAlone(t *testing.T) {
	w, c, _ := begin(t)
	if in, err := c.Reduce(t.Context(), "d", job.Input{Data: []byte("icon")}, small); err != nil || in.Stands != nil || string(in.Data) != "icon" {
		t.Errorf("%s, %v", in.Data, err)
	}
	if w.looks.Load()+w.renders.Load() != 0 {
		t.Error("the engine was asked")
	}
}

func TestCallersShareTheMaking(t *testing.T) {
	w, c, _ := begin(t)
	const callers = 8
	w.render = func(context.Context) error {
		for c.making.Waiting(c.key("d")) < callers {
			if t.Context().Err() != nil {
				return t.Context().Err()
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if in, err := c.Reduce(t.Context(), "d", photo, small); err != nil || in.Stands == nil {
				t.Errorf("%+v, %v", in.Stands, err)
			}
		})
	}
	wg.Wait()
	if n := w.renders.Load(); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// What is wrong with a picture is told by what was asked for, not by its copy; all else ends the call.
func TestCopiesThatCannotBeMade(t *testing.T) {
	w, c, _ := begin(t)
	wrong := fault.New(fault.Invalid, "BROKEN_IMAGE", "damaged")
	w.render = func(context.Context) error { return wrong }
	if in, err := c.Reduce(t.Context(), "d", photo, small); err != nil || in.Stands != nil || !bytes.Equal(in.Data, photo.Data) {
		t.Errorf("%s, %v", in.Data, err)
	}
	crashed := fault.New(fault.Internal, "DECODER_CRASHED", "gone")
	w.render = func(context.Context) error { return crashed }
	if _, err := c.Reduce(t.Context(), "d", photo, small); !errors.Is(err, crashed) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.render = func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := c.Reduce(ctx, "d", photo, small); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if len(w.kept) != 0 || c.counted(made) != 0 {
		t.Errorf("%d kept, %d made", len(w.kept), c.counted(made))
	}
}

package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

func one(v recipe.Variant) recipe.Recipe { return recipe.Recipe{Variants: []recipe.Variant{v}} }

// held renders when the test lets it.
func (b *bench) held() (renders *atomic.Int64, let chan struct{}) {
	renders, let = new(atomic.Int64), make(chan struct{})
	render := b.render
	b.render = func(ctx context.Context, v []recipe.Variant) ([]Rendered, error) {
		renders.Add(1)
		select {
		case <-let:
			return render(ctx, v)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return renders, let
}

func TestEqualCallsShareOneRun(t *testing.T) {
	b := newBench(t)
	renders, let := b.held()
	// Fewer places than callers: who shares takes none.
	w := b.worker(func(c *Config) { c.Slots, c.Waiting = 1, 1 }).Transformer
	same := thumb()
	same.Output.Quality = recipe.DefaultQuality // what it would be anyway
	var all sync.WaitGroup
	var first sync.Map
	for i := range 100 {
		v := thumb()
		if i%2 == 1 {
			v = same
		}
		all.Go(func() {
			made, err := w.Transform(t.Context(), digest, one(v))
			if err != nil || len(made) != 1 || string(made[0].Data) != "thumb" {
				t.Errorf("made %+v, %v", made, err)
				return
			}
			first.Store(&made[0].Data[0], true)
		})
	}
	eventually(t, "all wait", func() bool { return w.runs.Waiting(wish(digest, one(thumb()))) == 100 })
	close(let)
	all.Wait()
	copies := 0
	first.Range(func(any, any) bool { copies++; return true })
	if renders.Load() != 1 || copies != 1 {
		t.Errorf("%d renders, %d copies of the result", renders.Load(), copies)
	}
	if _, err := w.Transform(t.Context(), digest, one(same)); err != nil || renders.Load() != 2 {
		t.Errorf("after the end: %d renders, %v", renders.Load(), err)
	}
}

// The run goes on while anybody waits, and is stopped with the last one.
func TestTheLastCallerStopsTheRun(t *testing.T) {
	b := newBench(t)
	renders, let := b.held()
	w := b.worker().Transformer
	key := wish(digest, one(thumb()))
	leaving := func(n int) (leave func()) {
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() {
			_, err := w.Transform(ctx, digest, one(thumb()))
			over <- err
		}()
		eventually(t, "it waits", func() bool { return w.runs.Waiting(key) == n })
		return func() {
			cancel()
			if err := <-over; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
	}
	first, second := leaving(1), leaving(2)
	eventually(t, "it is begun", func() bool { return renders.Load() == 1 })
	first()
	patient := make(chan error, 1)
	go func() {
		_, err := w.Transform(t.Context(), digest, one(thumb()))
		patient <- err
	}()
	eventually(t, "a third waits", func() bool { return w.runs.Waiting(key) == 2 })
	second()
	close(let)
	if err := <-patient; err != nil || renders.Load() != 1 {
		t.Errorf("who stays got %v after %d renders", err, renders.Load())
	}
	b = newBench(t)
	renders, _ = b.held()
	w = b.worker().Transformer
	alone := leaving(1)
	eventually(t, "it is begun", func() bool { return renders.Load() == 1 })
	alone()
	eventually(t, "its slot is free", func() bool {
		w.slots.mu.Lock()
		defer w.slots.mu.Unlock()
		return w.slots.used[callers] == 0
	})
}

func TestWhatIsNotEqualIsNotShared(t *testing.T) {
	small, named := thumb(), thumb()
	small.Steps = []recipe.Step{recipe.Resize{Mode: recipe.Limit, Width: 63}}
	named.Name = "other"
	seen := map[string]bool{}
	for _, r := range []recipe.Recipe{one(thumb()), one(small), one(named), {Variants: []recipe.Variant{thumb(), named}}, {Variants: []recipe.Variant{named, thumb()}}} {
		seen[wish(digest, r)] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d wishes of 5", len(seen))
	}
}

func TestFailuresAreShared(t *testing.T) {
	b := newBench(t)
	var renders atomic.Int64
	let := make(chan struct{})
	b.render = func(context.Context, []recipe.Variant) ([]Rendered, error) {
		renders.Add(1)
		<-let
		return nil, fault.New(fault.Invalid, "BROKEN_IMAGE", "the picture is damaged")
	}
	w := b.worker().Transformer
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if _, err := w.Transform(t.Context(), digest, one(thumb())); fault.ReasonOf(err) != "BROKEN_IMAGE" {
				t.Errorf("got %v", err)
			}
		})
	}
	eventually(t, "all wait", func() bool { return w.runs.Waiting(wish(digest, one(thumb()))) == 10 })
	close(let)
	all.Wait()
	if renders.Load() != 1 {
		t.Errorf("%d renders", renders.Load())
	}
	wrong := thumb()
	wrong.Steps = []recipe.Step{recipe.Blur{Sigma: 1000}}
	if _, err := w.Transform(t.Context(), digest, one(wrong)); err == nil || !strings.Contains(err.Error(), "thumb") {
		t.Errorf("a wrong recipe: %v", err)
	}
}

package worker

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

func (b *bench) progress() (told []job.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.reports {
		if r.Kind == job.Progressed {
			told = append(told, *r.Progress)
		}
	}
	return told
}

func TestProgressIsTold(t *testing.T) {
	b := newBench(t)
	phase := func(p string) func() bool {
		return func() bool {
			return slices.ContainsFunc(b.progress(), func(told job.Progress) bool { return told.Phase == p })
		}
	}
	b.open = func(context.Context) ([]byte, error) {
		eventually(t, "fetching is told", phase(fetching))
		return []byte("original"), nil
	}
	render := b.render
	b.render = func(ctx context.Context, vs []recipe.Variant) ([]Rendered, error) {
		eventually(t, "rendering is told", phase("rendering"))
		return render(ctx, vs)
	}
	b.put = func(job.Digest) error {
		eventually(t, "storing is told", phase(storing))
		return nil
	}
	c := b.worker().Consumer
	c.paces.tell = time.Millisecond
	if v := c.handle(t.Context(), delivery(t, 1, thumb())); !v.IsDone() {
		t.Errorf("verdict %+v", v)
	}
	want := []job.Progress{{Phase: fetching, Percent: 1}, {Phase: "rendering", Percent: 39}, {Phase: storing, Percent: 90}}
	if told := b.progress(); !slices.Equal(told, want) {
		t.Errorf("told %v, want each of %v once", told, want)
	}
}

// A queue that takes no progress keeps no job from its end.
func TestProgressHoldsNothingUp(t *testing.T) {
	b := newBench(t)
	stuck := make(chan struct{})
	once := sync.OnceFunc(func() { close(stuck) })
	b.hang = func(ctx context.Context, r job.Report) {
		if r.Kind == job.Progressed {
			once()
			<-ctx.Done()
		}
	}
	b.put = func(job.Digest) error {
		<-stuck
		return nil
	}
	c := b.worker().Consumer
	c.paces.tell = 10 * time.Millisecond
	if v := c.handle(t.Context(), delivery(t, 1, thumb())); !v.IsDone() {
		t.Errorf("verdict %+v", v)
	}
}

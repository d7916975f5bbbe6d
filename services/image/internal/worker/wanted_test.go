package worker

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// desk answers from a test's hand.
type desk struct {
	ended   atomic.Bool
	asked   atomic.Int64
	watched atomic.Int64
	err     error
	watch   func(context.Context) error
}

func (d *desk) Watch(ctx context.Context, _ job.ID) error {
	d.watched.Add(1)
	if d.watch == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return d.watch(ctx)
}

func (d *desk) Ended(context.Context, job.ID) (bool, error) {
	d.asked.Add(1)
	return d.ended.Load() || d.err != nil, d.err
}

func TestWorkEndsWithItsJob(t *testing.T) {
	for name, before := range map[string]bool{"before it began": true, "while it ran": false} {
		t.Run(name, func(t *testing.T) {
			b, d := newBench(t), &desk{}
			d.ended.Store(before)
			b.render = func(ctx context.Context, _ []recipe.Variant) ([]Rendered, error) {
				eventually(t, "the desk was asked", func() bool { return d.asked.Load() > 0 })
				d.ended.Store(true)
				<-ctx.Done()
				return nil, ctx.Err()
			}
			c := b.worker().Consumer
			c.parts.Desk, c.paces.ask = d, time.Millisecond
			if v := c.handle(t.Context(), delivery(t, 1, thumb())); !v.IsDone() {
				t.Errorf("verdict %+v", v)
			}
			if !slices.Equal(b.kinds(), []job.ReportKind{job.Began}) || len(b.stored) != 0 {
				t.Errorf("told %v, stored %v", b.kinds(), b.stored)
			}
		})
	}
}

func TestWorkGoesOnWhereNobodyCanTell(t *testing.T) {
	b, d := newBench(t), &desk{err: errors.New("no manager answers")}
	c := b.worker().Consumer
	c.parts.Desk, c.paces.ask = d, time.Millisecond
	b.put = func(job.Digest) error {
		eventually(t, "the desk was asked again", func() bool { return d.asked.Load() > 2 })
		return nil
	}
	if v := c.handle(t.Context(), delivery(t, 1, thumb())); !v.IsDone() {
		t.Errorf("verdict %+v", v)
	}
	if !slices.Equal(b.kinds(), []job.ReportKind{job.Began, job.Finished}) {
		t.Errorf("told %v", b.kinds())
	}
}

// A watch that breaks is begun again.
func TestWorkEndsWhenTheWatchSaysSo(t *testing.T) {
	b, d := newBench(t), &desk{}
	broken := true
	d.watch = func(context.Context) error {
		if broken { // a manager that leaves
			broken = false
			return away
		}
		return nil
	}
	b.render = func(ctx context.Context, _ []recipe.Variant) ([]Rendered, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c := b.worker().Consumer
	c.parts.Desk, c.paces.watch, c.paces.ask = d, time.Millisecond, 10*time.Millisecond
	if v := c.handle(t.Context(), delivery(t, 1, thumb())); !v.IsDone() {
		t.Errorf("verdict %+v", v)
	}
	if d.watched.Load() != 2 || len(b.stored) != 0 {
		t.Errorf("watched %d times, stored %v", d.watched.Load(), b.stored)
	}
}

// Short work is not watched: a question at its beginning is all it costs.
func TestShortWorkIsNotWatched(t *testing.T) {
	b, d := newBench(t), &desk{}
	c := b.worker().Consumer
	c.parts.Desk, c.paces.watch = d, time.Hour
	if v := c.handle(t.Context(), delivery(t, 1, thumb())); !v.IsDone() || d.watched.Load() != 0 || d.asked.Load() > 1 {
		t.Errorf("verdict %+v, watched %d times, asked %d times", v, d.watched.Load(), d.asked.Load())
	}
}

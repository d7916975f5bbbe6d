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
	ended atomic.Bool
	asked atomic.Int64
	err   error
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
			c.parts.Desk, c.interval = d, time.Millisecond
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
	c.parts.Desk, c.interval = d, time.Millisecond
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

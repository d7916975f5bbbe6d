package worker

import (
	"context"
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

// The phases that are not the engine's.
const (
	fetching = "fetching"
	storing  = "storing"
)

// What each phase has of a job's percents: the engine's stand between fetched and rendered.
const (
	fetched  = 5
	rendered = 90
)

// teller tells how far a job is, at most once at every pace, and nothing of a job that is done before the first. It stands beside the
// work: what cannot be told in time is lost.
type teller struct {
	mu  sync.Mutex
	now job.Progress
}

// tellWhile tells by way of report until stop is called, which does not wait for a report that is under way.
func tellWhile(ctx context.Context, pace time.Duration, report func(context.Context, job.Progress) error) (t *teller, stop func()) {
	t = &teller{now: job.Progress{Phase: fetching, Percent: 1}}
	ctx, cancel := context.WithCancel(ctx)
	first := time.AfterFunc(pace, func() {
		for last := (job.Progress{}); ctx.Err() == nil; pause(ctx, pace) {
			p := t.read()
			if p == last {
				continue
			}
			within, cancel := context.WithTimeout(ctx, pace)
			if report(within, p) == nil {
				last = p
			}
			cancel()
		}
	})
	return t, func() {
		first.Stop()
		cancel()
	}
}

func (t *teller) read() job.Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

func (t *teller) set(phase string, percent int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = job.Progress{Phase: phase, Percent: percent}
}

// rendering takes what the engine tells of its part.
func (t *teller) rendering(p job.Progress) { t.set(p.Phase, fetched+p.Percent*(rendered-fetched)/100) }

func (t *teller) storing(done, all int) { t.set(storing, rendered+done*(100-rendered)/all) }

package worker

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"calotype/kit/fault"
	"calotype/kit/tracing"
	"calotype/services/image/internal/job"
)

// fewer is how often a job is tried that fails by itself: on time, or on a defect.
const fewer = 3

// farewell is how long the end of a job may take to be told when the node has no time left.
const farewell = 500 * time.Millisecond

// attempt makes one attempt and tells the managers of it. What is told is in the queue before the task leaves it.
func (c *Consumer) attempt(ctx context.Context, t job.Task, attempt int) (job.Verdict, error) {
	began := c.now()
	report := func(ctx context.Context, r job.Report) error {
		r.Job, r.Run, r.Attempt, r.Node, r.Time, r.Started = t.Job, t.Run, attempt, c.parts.Node, c.now(), began
		return c.courier.tell(ctx, job.Told{Report: r, Headers: tracing.Inject(ctx, c.parts.Tracer)})
	}
	// Short work tells only its end, which costs half as many messages and changes. What was tried before is told of at once: it may
	// have taken its node with it.
	short := func() {} // says that the work is done
	if attempt > 1 || c.paces.began == 0 {
		if err := report(ctx, job.Report{Kind: job.Began}); err != nil {
			return c.later(ctx, attempt, err), err
		}
	} else {
		lasting, ended := context.WithCancel(ctx)
		defer ended()
		begun := time.AfterFunc(c.paces.began, func() {
			_ = report(lasting, job.Report{Kind: job.Began}) // its end is told, too, or the task comes again
		})
		defer begun.Stop()
		short = func() { begun.Stop() } // though a busy queue may take long to hear of it
	}
	wanted, stop := c.whileWanted(ctx, t.Job)
	defer stop()
	progress, quiet := tellWhile(ctx, c.paces.tell, func(ctx context.Context, p job.Progress) error {
		return report(ctx, job.Report{Kind: job.Progressed, Progress: &p})
	})
	defer quiet()
	results, err := c.make(wanted, t, progress)
	short()
	quiet()
	dropped := errors.Is(context.Cause(wanted), errUnwanted)
	stop()
	outcome := outcomeOf(ctx, err)
	if dropped && ctx.Err() == nil {
		outcome = "dropped"
	}
	c.parts.Metrics.job(outcome, c.now().Sub(began))
	switch {
	case dropped:
		c.parts.Log.InfoContext(ctx, "job dropped: it ended meanwhile", "attempt", attempt, "took", c.now().Sub(began))
		return job.Done(), nil
	case err == nil:
		c.parts.Log.DebugContext(ctx, "job done", "variants", len(results), "attempt", attempt, "took", c.now().Sub(began))
		telling := ctx
		if ctx.Err() != nil { // the time was up when everything was stored
			var cancel context.CancelFunc
			telling, cancel = context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
		}
		if err := report(telling, job.Report{Kind: job.Finished, Results: results}); err != nil {
			return c.later(ctx, attempt, err), err
		}
		return job.Done(), nil
	case ctx.Err() != nil: // the node leaves, or the task is no longer ours: who has it next tells
		return job.Again(0), ctx.Err()
	}
	failure := failureOf(err)
	c.parts.Log.LogAttrs(ctx, level(err), "an attempt failed", slog.String("reason", failure.Reason), slog.Int("attempt", attempt), slog.Any("error", err))
	if !fault.Transient(err) {
		if told := report(ctx, job.Report{Kind: job.GaveUp, Failure: failure}); told != nil {
			return c.later(ctx, attempt, told), told
		}
		return job.Done(), err
	}
	if told := report(ctx, job.Report{Kind: job.Postpone, Failure: failure}); told != nil {
		return c.later(ctx, attempt, told), told
	}
	if attempt >= c.attempts(t, err) {
		return job.SetAside(failure.Message), err
	}
	return c.later(ctx, attempt, err), err
}

// make fetches, renders in a slot, and stores when the slot is free for others. Each has its time: what storage takes too long for
// is no fault of the picture.
func (c *Consumer) make(ctx context.Context, t job.Task, progress *teller) ([]job.Result, error) {
	original, err := timed(ctx, c.cfg.JobTimeout, func(ctx context.Context) (job.Input, error) { return c.parts.open(ctx, t.Original, t.Recipe) })
	if err != nil {
		return nil, err
	}
	made, err := c.render(ctx, t, original, progress)
	if err != nil {
		return nil, err
	}
	return timed(ctx, c.cfg.JobTimeout, func(ctx context.Context) ([]job.Result, error) {
		results := make([]job.Result, len(made))
		for i, m := range made {
			progress.storing(i, len(made))
			if err := c.parts.Results.Put(ctx, m.Digest, m.Data); err != nil {
				return nil, err
			}
			results[i] = m.Result
		}
		return results, nil
	})
}

// render makes the results' pictures, in a slot.
func (c *Consumer) render(ctx context.Context, t job.Task, original job.Input, progress *teller) ([]Made, error) {
	h, err := c.slots.take(ctx, jobs)
	if err != nil {
		return nil, err
	}
	defer h.drop()
	w, err := in(ctx, h, c.cfg.JobTimeout, func(ctx context.Context) (work, error) { return c.parts.prepare(ctx, t.Original, original, t.Recipe) })
	if err != nil {
		return nil, err
	}
	return c.parts.made(ctx, h, w, c.cfg.JobTimeout, progress.rendering)
}

// timed calls storage. One that does not answer in time is away.
func timed[T any](ctx context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	v, err := call(limited)
	if err != nil && ctx.Err() == nil && fault.Is(err, fault.Deadline) {
		err = fault.Wrap(err, fault.Unavailable, "STORAGE_TIMEOUT", "storage did not answer in time")
	}
	return v, err
}

// attempts is how often a task is tried that failed with err.
func (c *Consumer) attempts(t job.Task, err error) int {
	limit := c.cfg.Attempts
	if t.MaxAttempts > 0 {
		limit = t.MaxAttempts
	}
	switch fault.KindOf(err) {
	case fault.Deadline, fault.Internal:
		return min(fewer, limit)
	}
	return limit
}

// later gives a task back: at once when this node has no time left for it, else after a pause that doubles with every attempt, and
// spreads, so that jobs that failed together do not come back together. Who asked for a pause gets it at least.
func (c *Consumer) later(ctx context.Context, attempt int, err error) job.Verdict {
	if ctx.Err() != nil {
		return job.Again(0)
	}
	d := min(c.cfg.Backoff<<min(attempt-1, 10), time.Minute)
	if f := fault.As(err); f != nil {
		d = max(d, min(2*f.RetryAfter, time.Minute))
	}
	return job.Again(d/2 + rand.N(d/2+1))
}

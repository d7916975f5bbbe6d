package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"calotype/kit/fault"
	"calotype/kit/logging"
	"calotype/kit/tracing"
	"calotype/services/image/internal/job"
)

// Consumer works off the queue's tasks.
type Consumer struct {
	slots    *slots
	parts    Parts
	cfg      Config
	now      func() time.Time
	interval time.Duration // between looks at whether a job is still wanted
}

// fewer is how often a job is tried that fails by itself: on time, or on a defect.
const fewer = 3

// Run takes tasks until ctx ends, then waits for those that run, which are cut off when work ends.
func (c *Consumer) Run(ctx, work context.Context) error {
	return c.parts.Queue.Consume(ctx, job.Tasks, c.cfg.Slots, func(ctx context.Context, d job.Delivery) job.Verdict {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(work, cancel)()
		return c.handle(ctx, d)
	})
}

func (c *Consumer) handle(ctx context.Context, d job.Delivery) job.Verdict {
	var t job.Task
	if err := json.Unmarshal(d.Body, &t); err != nil || t.Job == "" || !t.Original.Valid() {
		c.parts.Log.ErrorContext(ctx, "a task cannot be read; it is set aside", "message", d.ID, "error", err)
		return job.SetAside("the task cannot be read by this version of the worker")
	}
	ctx, span := tracing.StartConsumer(logging.WithJob(ctx, string(t.Job)), c.parts.Tracer, "job work", d.Headers)
	span.SetTag("calotype.job.id", string(t.Job))
	span.SetTag("calotype.job.attempt", d.Attempt)
	v, err := c.attempt(ctx, t, d.Attempt)
	tracing.Finish(span, err)
	return v
}

// attempt makes one attempt and tells the managers of it. What is told is in the queue before the task leaves it.
func (c *Consumer) attempt(ctx context.Context, t job.Task, attempt int) (job.Verdict, error) {
	report := func(kind job.ReportKind, results []job.Result, failure *job.Failure) error {
		r := job.Report{Job: t.Job, Run: t.Run, Attempt: attempt, Kind: kind, Node: c.parts.Node, Time: c.now(), Results: results, Failure: failure}
		body, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return c.parts.Queue.Publish(ctx, job.Reports, job.Message{ID: r.MessageID(), Headers: tracing.Inject(ctx, c.parts.Tracer), Body: body})
	}
	if err := report(job.Began, nil, nil); err != nil {
		return job.Again(c.pause(attempt)), err
	}
	began := c.now()
	wanted, stop := c.whileWanted(ctx, t.Job)
	results, err := c.make(wanted, t)
	dropped := errors.Is(context.Cause(wanted), errUnwanted)
	stop()
	outcome := outcomeOf(ctx, err)
	if dropped && ctx.Err() == nil {
		outcome = "dropped"
	}
	c.parts.Metrics.job(outcome)
	switch {
	case ctx.Err() != nil: // the node leaves, or the task is no longer ours: who has it next tells
		return job.Again(0), ctx.Err()
	case dropped:
		c.parts.Log.InfoContext(ctx, "job dropped: it ended meanwhile", "attempt", attempt, "took", c.now().Sub(began))
		return job.Done(), nil
	case err == nil:
		c.parts.Log.InfoContext(ctx, "job done", "variants", len(results), "attempt", attempt, "took", c.now().Sub(began))
		if err := report(job.Finished, results, nil); err != nil {
			return job.Again(c.pause(attempt)), err
		}
		return job.Done(), nil
	}
	failure := failureOf(err)
	c.parts.Log.LogAttrs(ctx, level(err), "job failed", slog.String("reason", failure.Reason), slog.Int("attempt", attempt), slog.Any("error", err))
	if !fault.Transient(err) {
		if told := report(job.GaveUp, nil, failure); told != nil {
			return job.Again(c.pause(attempt)), told
		}
		return job.Done(), err
	}
	if told := report(job.Postpone, nil, failure); told != nil {
		return job.Again(c.pause(attempt)), told
	}
	if attempt >= c.attempts(err) {
		return job.SetAside(failure.Message), err
	}
	return job.Again(c.pause(attempt)), err
}

// make renders in a slot, and stores when the slot is free for others.
func (c *Consumer) make(ctx context.Context, t job.Task) ([]job.Result, error) {
	made, err := within(ctx, c.slots, jobs, c.cfg.JobTimeout, func(ctx context.Context) ([]Made, error) {
		return c.parts.work(ctx, t.Original, t.Recipe)
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.JobTimeout)
	defer cancel()
	results := make([]job.Result, len(made))
	for i, m := range made {
		if err := c.parts.Results.Put(ctx, m.Digest, m.Data); err != nil {
			return nil, err
		}
		results[i] = m.Result
	}
	return results, nil
}

func (c *Consumer) attempts(err error) int {
	switch fault.KindOf(err) {
	case fault.Deadline, fault.Internal:
		return min(fewer, c.cfg.Attempts)
	}
	return c.cfg.Attempts
}

// pause doubles with every attempt, and spreads, so that jobs that failed together do not come back together.
func (c *Consumer) pause(attempt int) time.Duration {
	d := min(c.cfg.Backoff<<min(attempt-1, 10), time.Minute)
	return d/2 + rand.N(d/2+1)
}

// failureOf tells people what went wrong; causes stay in the log.
func failureOf(err error) *job.Failure {
	failure := &job.Failure{Reason: strings.ToUpper(fault.KindOf(err).String()), Message: "something went wrong on the node"}
	switch fault.KindOf(err) {
	case fault.Deadline:
		failure.Message = "it took longer than it may"
	case fault.NotFound:
		failure.Message = "the original is no longer there"
	}
	if f := fault.As(err); f != nil {
		told := fault.Error{Message: f.Message, Fields: f.Fields} // without the cause
		failure.Message = told.Error()
		if f.Reason != "" {
			failure.Reason = f.Reason
		}
	}
	var variant interface{ VariantName() string }
	if errors.As(err, &variant) {
		failure.Variant = variant.VariantName()
	}
	return failure
}

func level(err error) slog.Level {
	if fault.Is(err, fault.Internal) {
		return slog.LevelError
	}
	return slog.LevelWarn
}

func outcomeOf(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return "succeeded"
	case ctx.Err() != nil:
		return "cut_off"
	case fault.Transient(err):
		return "postponed"
	}
	return "gave_up"
}

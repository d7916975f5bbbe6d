package worker

import (
	"context"
	"time"

	"calotype/kit/logging"
	"calotype/kit/tracing"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Consumer works off the queue's tasks.
type Consumer struct {
	slots *slots
	parts Parts
	cfg   Config
	now   func() time.Time
	paces paces

	courier *courier
	recipes recipe.Reader
}

// paces are the times between what a consumer does beside the work.
type paces struct {
	began time.Duration // until it is told that the work began; 0: at once
	first time.Duration // until the first question whether a job is still wanted
	ask   time.Duration // between questions whether a job is still wanted
	watch time.Duration // from the beginning of the work until its job is watched
	tell  time.Duration // between reports of progress
}

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
	t, err := job.ReadTask(d.Message, &c.recipes)
	if err != nil {
		c.parts.Log.ErrorContext(ctx, "a task cannot be read; it is set aside", "message", d.ID, "error", err)
		return job.SetAside("the task cannot be read by this version of the worker")
	}
	ctx, span := tracing.StartConsumer(logging.WithJob(ctx, string(t.Job)), c.parts.Tracer, "job work", d.Headers)
	span.SetTag("calotype.job.id", string(t.Job))
	span.SetTag("calotype.job.attempt", d.Attempt)
	if d.Attempt > 1 {
		c.parts.Metrics.again()
		c.parts.Log.WarnContext(ctx, "a task comes again", "attempt", d.Attempt)
	}
	v, err := c.attempt(ctx, t, d.Attempt)
	tracing.Finish(span, err)
	return v
}

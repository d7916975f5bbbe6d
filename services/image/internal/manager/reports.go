package manager

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/opentracing/opentracing-go"

	"calotype/kit/fault"
	"calotype/kit/logging"
	"calotype/kit/tracing"
	"calotype/services/image/internal/job"
)

// Reports applies what nodes tell.
type Reports struct {
	queue  job.Queue
	mover  *mover
	slots  int
	tracer opentracing.Tracer
	log    *slog.Logger
}

// Run consumes reports until ctx ends.
func (r *Reports) Run(ctx context.Context) error {
	return r.queue.Consume(ctx, job.Reports, r.slots, func(own context.Context, d job.Delivery) job.Verdict {
		var report job.Report
		if err := json.Unmarshal(d.Body, &report); err != nil || report.Job == "" {
			r.log.ErrorContext(own, "a report cannot be read; it is set aside", "message", d.ID, "error", err)
			return job.SetAside("it is no report")
		}
		return insist(ctx, own, r.log, func() error {
			own, span := tracing.StartConsumer(logging.WithJob(own, string(report.Job)), r.tracer, "job report "+string(report.Kind), d.Headers)
			j, err := r.mover.move(own, report.Job, func(j job.Job, now time.Time) (job.Change, error) {
				next, events := job.Apply(j, report, now)
				return job.Change{Job: next, Events: events}, nil
			})
			tracing.Finish(span, err)
			if err == nil {
				r.log.DebugContext(own, "a node reported", "kind", string(report.Kind), "attempt", report.Attempt, "node", report.Node, "state", string(j.State))
			}
			return err
		})
	})
}

// DeadLetters ends the jobs whose tasks were set aside.
type DeadLetters struct {
	queue  job.Queue
	mover  *mover
	tracer opentracing.Tracer
	log    *slog.Logger
}

// Run consumes dead tasks until ctx ends.
func (l *DeadLetters) Run(ctx context.Context) error {
	return l.queue.Consume(ctx, job.DeadTasks, 1, func(own context.Context, d job.Delivery) job.Verdict {
		var t struct { // a task whose recipe nobody can read is dead all the same
			Job job.ID `json:"job"`
			Run int    `json:"run"`
		}
		if err := json.Unmarshal(d.Body, &t); err != nil || t.Job == "" {
			l.log.ErrorContext(own, "a dead message is no task; it stays aside", "message", d.ID, "error", err)
			return job.SetAside("it is no task")
		}
		return insist(ctx, own, l.log, func() error {
			own, span := tracing.StartConsumer(logging.WithJob(own, string(t.Job)), l.tracer, "job dead", d.Headers)
			_, err := l.mover.move(own, t.Job, func(j job.Job, now time.Time) (job.Change, error) {
				next, events := job.Bury(j, t.Run, why(j, d.Headers[deadReason]), now)
				return job.Change{Job: next, Events: events}, nil
			})
			tracing.Finish(span, err)
			l.log.WarnContext(own, "a task was set aside", "reason", d.Headers[deadReason], "error", err)
			return err
		})
	})
}

const deadReason = "dead-reason" // the header that tells why a message was set aside

// why tells a person what killed the job: what the queue said, and what the last attempt said, if it lived to say it.
func why(j job.Job, reason string) job.Failure {
	f := job.Failure{Reason: "SET_ASIDE", Message: "its task was set aside"}
	if reason != "" {
		f.Message += ": " + reason
	}
	if j.Failure != nil {
		f.Message += "; the last attempt that could tell failed with " + j.Failure.Reason + ": " + j.Failure.Message
		f.Variant = j.Failure.Variant
	}
	return f
}

const (
	insistFirst = 50 * time.Millisecond
	insistMost  = 2 * time.Second
	insistFor   = 8 // times; about ten seconds
)

// insist tries the store again while it does not answer, because a delivery given back counts as one more attempt, and a few seconds
// without a store must not set a report aside. What can never succeed is done with. It ends early with run, the consumer's life, or
// own, the delivery's.
func insist(run, own context.Context, log *slog.Logger, do func() error) job.Verdict {
	for failures := 1; ; failures++ {
		err := do()
		switch {
		case err == nil, fault.Is(err, fault.NotFound): // a job that was forgotten
			return job.Done()
		case run.Err() != nil || own.Err() != nil:
			return job.Again(0)
		case failures == insistFor:
			log.ErrorContext(own, "the job store does not take a change; it is tried again later", "error", err)
			return job.Again(5 * time.Second)
		}
		select {
		case <-time.After(backoff(failures, insistFirst, insistMost)):
		case <-run.Done():
		case <-own.Done():
		}
	}
}

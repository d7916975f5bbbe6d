package manager

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
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
	blobs  Blobs
	late   time.Duration // how old a report is whose results may have been collected
	now    func() time.Time
	tracer opentracing.Tracer
	counts *Counts
	log    *slog.Logger
}

// Run consumes reports until ctx ends.
func (r *Reports) Run(ctx context.Context) error {
	return r.queue.Consume(ctx, job.Reports, r.slots, func(ctx context.Context, d job.Delivery) job.Verdict {
		told, err := job.ReadReports(d.Message)
		if err != nil {
			r.log.ErrorContext(ctx, "a report cannot be read; it is set aside", "message", d.ID, "error", err)
			r.counts.report("unknown", reportAside)
			return job.SetAside("it is no report")
		}
		if len(told) == 1 {
			return r.apply(ctx, told[0], d.Attempt)
		}
		verdicts := make([]job.Verdict, len(told))
		var all sync.WaitGroup
		for i, t := range told { // at once, so that they may share what the store does
			all.Go(func() { verdicts[i] = r.apply(ctx, t, d.Attempt) })
		}
		all.Wait()
		return worst(verdicts)
	})
}

// worst decides about several reports in one message. Those that were applied change nothing when they come again.
func worst(verdicts []job.Verdict) job.Verdict {
	decided := job.Done()
	for _, v := range verdicts {
		switch {
		case v.IsAgain() && (!decided.IsAgain() || v.After > decided.After):
			decided = v
		case v.IsSetAside() && decided.IsDone():
			decided = v
		}
	}
	return decided
}

func (r *Reports) apply(ctx context.Context, t job.Told, attempt int) job.Verdict {
	report := t.Report
	ctx, span := tracing.StartConsumer(logging.WithJob(ctx, string(report.Job)), r.tracer, "job report "+string(report.Kind), t.Headers)
	switch lost, err := r.lost(ctx, report); {
	case err != nil:
		tracing.Finish(span, err)
		r.log.WarnContext(ctx, "storage could not be asked for the results of a late report; it is tried again", "error", err)
		r.counts.report(report.Kind, reportAgain)
		return job.Again(backoff(attempt, againFirst, againMost))
	case lost:
		tracing.Finish(span, nil)
		r.log.WarnContext(ctx, "a report came so late that its results are gone; the job will be queued again", "node", report.Node, "reported", report.Time)
		r.counts.report(report.Kind, reportLost)
		return job.Done()
	}
	outcome := reportIgnored
	j, err := r.mover.move(ctx, report.Job, func(j job.Job, now time.Time) (job.Change, error) {
		next, events := job.Apply(j, report, now)
		if outcome = reportIgnored; len(events) > 0 {
			outcome = reportApplied
		}
		return job.Change{Job: next, Events: events}, nil
	})
	tracing.Finish(span, err)
	r.log.DebugContext(ctx, "a node reported", "kind", string(report.Kind), "attempt", report.Attempt, "node", report.Node, "state", string(j.State))
	v := verdict(ctx, r.log, attempt, err)
	switch {
	case v.IsAgain():
		outcome = reportAgain
	case v.IsSetAside():
		outcome = reportAside
	}
	r.counts.report(report.Kind, outcome)
	return v
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
	return l.queue.Consume(ctx, job.DeadTasks, 1, func(ctx context.Context, d job.Delivery) job.Verdict {
		var t struct { // a task whose recipe nobody can read is dead all the same
			Job job.ID `json:"job"`
			Run int    `json:"run"`
		}
		if err := json.Unmarshal(d.Body, &t); err != nil || t.Job == "" {
			l.log.ErrorContext(ctx, "a dead message is no task; it stays aside", "message", d.ID, "error", err)
			return job.SetAside("it is no task")
		}
		ctx, span := tracing.StartConsumer(logging.WithJob(ctx, string(t.Job)), l.tracer, "job dead", d.Headers)
		j, err := l.mover.move(ctx, t.Job, func(j job.Job, now time.Time) (job.Change, error) {
			next, events := job.Bury(j, t.Run, why(j, d.Headers[deadReason]), now)
			return job.Change{Job: next, Events: events}, nil
		})
		tracing.Finish(span, err)
		l.log.WarnContext(ctx, "a task was set aside", "reason", d.Headers[deadReason], "state", string(j.State))
		return verdict(ctx, l.log, d.Attempt, err)
	})
}

const deadReason = "dead-reason" // the header that tells why a message was set aside

// why tells a person what killed the job: what the queue or the node said, and what the last attempt said, if it lived to say it.
func why(j job.Job, reason string) job.Failure {
	last := j.Failure
	if last != nil && last.Message == reason { // its node tried often enough, and said so
		return job.Failure{Reason: last.Reason, Message: fmt.Sprintf("it was tried %d times; the last time: %s", j.Attempts, reason), Variant: last.Variant}
	}
	f := job.Failure{Reason: "SET_ASIDE", Message: "its task was set aside"}
	if reason != "" {
		f.Message += ": " + reason
	}
	if last != nil {
		f.Message += fmt.Sprintf("; the last attempt that could tell failed with %s: %s", last.Reason, last.Message)
		f.Variant = last.Variant
	}
	return f
}

const (
	againFirst = 50 * time.Millisecond
	againMost  = 10 * time.Second
	againLimit = 30 // attempts on what the store answers with a defect
)

// verdict decides by what a store came to. A store that does not answer is waited for as long as it takes; a job that was forgotten
// is done with; what is damaged must not go round for ever.
func verdict(ctx context.Context, log *slog.Logger, attempt int, err error) job.Verdict {
	switch {
	case err == nil, fault.Is(err, fault.NotFound):
		return job.Done()
	case attempt >= againLimit && fault.Is(err, fault.Internal):
		log.ErrorContext(ctx, "a message cannot be applied; it is set aside", "error", err)
		return job.SetAside("the job store fails on it: " + err.Error())
	}
	log.WarnContext(ctx, "the job store did not take a change; it is tried again", "attempt", attempt, "error", err)
	return job.Again(backoff(attempt, againFirst, againMost))
}

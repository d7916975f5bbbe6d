package job

import (
	"fmt"
	"slices"
	"time"

	"calotype/kit/fault"
)

// Reasons that the state machine itself gives in a Failure.
const (
	ReasonIncomplete = "RESULTS_INCOMPLETE" // a node called a job finished, but a variant was missing
	ReasonRequeued   = "REQUEUED"           // nobody reported on it for a while, so it was queued again
	ReasonLost       = "LOST"               // it was queued again too often
	ReasonUnknown    = "UNKNOWN"            // it failed, and nobody said why
)

// Change is the outcome of a transition: the job as it stands after it, what happened, and what the queue is to be told. A change
// without events changes nothing.
type Change struct {
	Job      Job
	Events   []Event
	Outbox   []Outgoing
	Webhooks []Webhook
}

// Accept begins a job: it is queued for the first time, or waits for its time.
func Accept(j Job, now time.Time) (Job, []Event) {
	j.State, j.Run, j.Created, j.Updated, j.Class = Queued, 1, now, now, j.Class.OrNormal()
	if j.NotBefore.After(now) {
		j.State = Scheduled
	}
	return j.happen(Event{Time: now})
}

// Release queues a job whose time has come. One that does not wait for it is left as it is.
func Release(j Job, now time.Time) (Job, []Event) {
	if j.State != Scheduled || j.NotBefore.After(now) {
		return j, nil
	}
	j.State = Queued
	return j.happen(Event{Time: between(now, j.Updated, now)})
}

// Apply moves a job by a report. A report about an earlier run, one that was overtaken by a later attempt, one that came before,
// and any report on a job that has ended changes nothing: it returns the job as it was and no events. An end is taken from
// whichever attempt of the run reports it first, since equal keys are equal pictures.
func Apply(j Job, r Report, now time.Time) (Job, []Event) {
	if r.Job != j.ID || r.Run != j.Run || j.State.Ended() || j.State == Scheduled {
		return j, nil
	}
	e := Event{Time: between(r.Time, j.Updated, now), Node: r.Node}
	next := j
	if r.Kind != Began && !r.Started.IsZero() && r.Attempt > j.Attempts { // short work tells only its end
		next.Started = between(r.Started, j.Updated, e.Time)
	}
	switch r.Kind {
	case Began:
		if r.Attempt <= j.Attempts {
			return j, nil
		}
		next.State, next.Started, next.Progress = Running, e.Time, Progress{}
	case Progressed:
		if r.Attempt != j.Attempts || j.State != Running || r.Progress == nil || r.Progress.Percent <= j.Progress.Percent {
			return j, nil
		}
		next.Progress = *r.Progress
	case Postpone:
		if r.Attempt < j.Attempts || r.Attempt == j.Attempts && j.State == Queued {
			return j, nil
		}
		next.State, next.Failure, next.Progress = Queued, orUnknown(r.Failure), Progress{}
		e.Failure = next.Failure
	case Finished:
		results, missing := inOrder(j, r.Results)
		if missing != "" {
			return next.end(Failed, &Failure{Reason: ReasonIncomplete, Variant: missing,
				Message: fmt.Sprintf("the node reported success without the variant %q", missing)}, r.Attempt, e)
		}
		next.Results = results
		return next.end(Succeeded, nil, r.Attempt, e)
	case GaveUp:
		return next.end(Failed, orUnknown(r.Failure), r.Attempt, e)
	default:
		return j, nil
	}
	next.Node, next.Attempts = r.Node, r.Attempt
	return next.happen(e)
}

// Bury ends a job whose task was set aside. A task of an earlier run changes nothing.
func Bury(j Job, run int, why Failure, now time.Time) (Job, []Event) {
	if run != j.Run || j.State.Ended() {
		return j, nil
	}
	return j.end(Dead, &why, j.Attempts, Event{Time: between(now, j.Updated, now), Node: j.Node})
}

// Cancel ends a job by a caller's wish. Cancelling a cancelled job changes nothing; one that ended otherwise is a
// fault.Conflict with reason JOB_ENDED.
func Cancel(j Job, now time.Time) (Job, []Event, error) {
	switch {
	case j.State == Cancelled:
		return j, nil, nil
	case j.State.Ended():
		return j, nil, fault.New(fault.Conflict, "JOB_ENDED", "the job has ended: it is %s", j.State)
	}
	next, events := j.end(Cancelled, nil, j.Attempts, Event{Time: between(now, j.Updated, now), Node: j.Node})
	return next, events, nil
}

// Retry queues a job again that ended without success, as a new run. Otherwise it is a fault.Conflict, with reason JOB_NOT_ENDED
// or JOB_SUCCEEDED.
func Retry(j Job, now time.Time) (Job, []Event, error) {
	switch {
	case j.State == Succeeded:
		return j, nil, fault.New(fault.Conflict, "JOB_SUCCEEDED", "the job succeeded; there is nothing to try again")
	case !j.State.Ended():
		return j, nil, fault.New(fault.Conflict, "JOB_NOT_ENDED", "the job has not ended: it is %s", j.State)
	}
	j.State, j.Run, j.Attempts, j.Requeues, j.Progress = Queued, j.Run+1, 0, 0, Progress{}
	j.Failure, j.Node, j.Started, j.Ended, j.Expires = nil, "", time.Time{}, time.Time{}, time.Time{}
	next, events := j.happen(Event{Time: between(now, j.Updated, now)})
	return next, events, nil
}

// Requeue queues a job again that no message seems to move any more, within the same run: a result that still comes is as good
// as a new one. After limit times the job is dead, so that every job ends. A job that has ended, or waits for its time, is left
// as it is.
func Requeue(j Job, limit int, now time.Time) (Job, []Event) {
	if j.State.Ended() || j.State == Scheduled {
		return j, nil
	}
	e := Event{Time: between(now, j.Updated, now), Node: j.Node}
	if j.Requeues >= limit {
		return j.end(Dead, &Failure{Reason: ReasonLost,
			Message: fmt.Sprintf("no node finished or refused it, though it was queued %d times", limit+1)}, j.Attempts, e)
	}
	j.State, j.Attempts, j.Requeues, j.Progress = Queued, 0, j.Requeues+1, Progress{}
	e.Node = ""
	e.Failure = &Failure{Reason: ReasonRequeued, Message: "no node reported on it for a while; it was queued again"}
	return j.happen(e)
}

// end closes the job; its attempts never count down, though an end may come from an earlier one.
func (j Job) end(s State, why *Failure, attempt int, e Event) (Job, []Event) {
	j.State, j.Failure, j.Ended = s, why, e.Time
	if j.Keep > 0 {
		j.Expires = j.Ended.Add(j.Keep)
	}
	j.Attempts = max(j.Attempts, attempt)
	if e.Node != "" {
		j.Node = e.Node
	}
	if s == Succeeded && j.Started.IsZero() {
		j.Started = e.Time // the report of the beginning is lost or late
	}
	e.Failure = why
	return j.happen(e)
}

func (j Job) happen(e Event) (Job, []Event) {
	j.Sequence++
	j.Updated = e.Time
	e.Job, e.Sequence, e.State, e.Attempt, e.Progress = j.ID, j.Sequence, j.State, j.Attempts, j.Progress
	return j, []Event{e}
}

// inOrder gives the results in the order of the recipe, or the name of a variant that is missing.
func inOrder(j Job, results []Result) (ordered []Result, missing string) {
	for _, v := range j.Recipe.Variants {
		i := slices.IndexFunc(results, func(r Result) bool { return r.Name == v.Name })
		if i < 0 {
			return nil, v.Name
		}
		ordered = append(ordered, results[i])
	}
	return ordered, ""
}

func orUnknown(f *Failure) *Failure {
	if f == nil {
		return &Failure{Reason: ReasonUnknown, Message: "the node did not say why"}
	}
	return f
}

// between keeps the times of a job in order, whatever the clocks of the nodes say: not before the event before, not in the future.
func between(t, before, now time.Time) time.Time {
	if t.After(now) || t.IsZero() {
		t = now
	}
	if t.Before(before) {
		t = before
	}
	return t
}

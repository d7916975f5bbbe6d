package job_test

import (
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"github.com/google/go-cmp/cmp"
)

var (
	begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now   = begin.Add(time.Minute)
)

func at(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }

// standing is a job in a state: in run 2, attempt 2, as far as the state has such.
func standing(s job.State) job.Job {
	j := job.Job{
		ID: "job_1", State: s, Wishes: job.Wishes{Class: job.Normal}, Run: 2, Sequence: 7, Created: begin, Updated: at(10),
		Recipe: recipe.Recipe{Variants: []recipe.Variant{{Name: "a"}, {Name: "b"}}},
	}
	switch s {
	case job.Running:
		j.Attempts, j.Node, j.Started = 2, "w1", at(10)
	case job.Queued:
	default:
		j.Attempts, j.Node, j.Started, j.Ended = 2, "w1", at(9), at(10)
	}
	return j
}

// postponed waits for attempt 3.
func postponed() job.Job {
	j := standing(job.Running)
	j.State, j.Failure = job.Queued, &job.Failure{Reason: "STORAGE_AWAY"}
	return j
}

func results(names ...string) (all []job.Result) {
	for _, n := range names {
		all = append(all, job.Result{Name: n, Key: "key-" + n})
	}
	return all
}

func TestApplyMoves(t *testing.T) {
	why := &job.Failure{Reason: "BROKEN_IMAGE", Message: "cut off"}
	for _, c := range []struct {
		name   string
		from   job.Job
		report job.Report
		want   func(*job.Job)
		event  job.Event
	}{
		{"queued, began", standing(job.Queued), job.Report{Kind: job.Began, Attempt: 1, Node: "w2"},
			func(j *job.Job) { j.State, j.Attempts, j.Node, j.Started = job.Running, 1, "w2", at(20) },
			job.Event{State: job.Running, Attempt: 1, Node: "w2"}},
		{"postponed, began again", postponed(), job.Report{Kind: job.Began, Attempt: 3, Node: "w2"},
			func(j *job.Job) { j.State, j.Attempts, j.Node, j.Started = job.Running, 3, "w2", at(20) },
			job.Event{State: job.Running, Attempt: 3, Node: "w2"}},
		{"running, its node died, another began", standing(job.Running), job.Report{Kind: job.Began, Attempt: 3, Node: "w2"},
			func(j *job.Job) { j.Attempts, j.Node, j.Started = 3, "w2", at(20) },
			job.Event{State: job.Running, Attempt: 3, Node: "w2"}},
		{"running, postponed", standing(job.Running), job.Report{Kind: job.Postpone, Attempt: 2, Node: "w1", Failure: why},
			func(j *job.Job) { j.State, j.Failure = job.Queued, why },
			job.Event{State: job.Queued, Attempt: 2, Node: "w1", Failure: why}},
		{"queued, postponed before its beginning was told", standing(job.Queued), job.Report{Kind: job.Postpone, Attempt: 1, Node: "w1", Failure: why},
			func(j *job.Job) { j.Attempts, j.Node, j.Failure = 1, "w1", why },
			job.Event{State: job.Queued, Attempt: 1, Node: "w1", Failure: why}},
		{"running, finished, results brought into order", standing(job.Running), job.Report{Kind: job.Finished, Attempt: 2, Node: "w1", Results: results("b", "a")},
			func(j *job.Job) { j.State, j.Results, j.Ended = job.Succeeded, results("a", "b"), at(20) },
			job.Event{State: job.Succeeded, Attempt: 2, Node: "w1"}},
		{"running, finished by the attempt before", standing(job.Running), job.Report{Kind: job.Finished, Attempt: 1, Node: "w0", Results: results("a", "b")},
			func(j *job.Job) {
				j.State, j.Results, j.Ended, j.Node = job.Succeeded, results("a", "b"), at(20), "w0"
			},
			job.Event{State: job.Succeeded, Attempt: 2, Node: "w0"}},
		{"queued, finished before its beginning was told", standing(job.Queued), job.Report{Kind: job.Finished, Attempt: 1, Node: "w1", Results: results("a", "b")},
			func(j *job.Job) {
				j.State, j.Results, j.Started, j.Ended, j.Node, j.Attempts = job.Succeeded, results("a", "b"), at(20), at(20), "w1", 1
			},
			job.Event{State: job.Succeeded, Attempt: 1, Node: "w1"}},
		{"postponed, finished after all", postponed(), job.Report{Kind: job.Finished, Attempt: 2, Node: "w1", Results: results("a", "b")},
			func(j *job.Job) {
				j.State, j.Results, j.Ended, j.Failure = job.Succeeded, results("a", "b"), at(20), nil
			},
			job.Event{State: job.Succeeded, Attempt: 2, Node: "w1"}},
		{"finished without a variant", standing(job.Running), job.Report{Kind: job.Finished, Attempt: 2, Node: "w1", Results: results("a")},
			func(j *job.Job) { j.State, j.Ended, j.Failure = job.Failed, at(20), incomplete },
			job.Event{State: job.Failed, Attempt: 2, Node: "w1", Failure: incomplete}},
		{"running, gave up", standing(job.Running), job.Report{Kind: job.GaveUp, Attempt: 2, Node: "w1", Failure: why},
			func(j *job.Job) { j.State, j.Ended, j.Failure = job.Failed, at(20), why },
			job.Event{State: job.Failed, Attempt: 2, Node: "w1", Failure: why}},
		{"gave up without a word", standing(job.Running), job.Report{Kind: job.GaveUp, Attempt: 2, Node: "w1"},
			func(j *job.Job) { j.State, j.Ended, j.Failure = job.Failed, at(20), unknown },
			job.Event{State: job.Failed, Attempt: 2, Node: "w1", Failure: unknown}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.report.Job, c.report.Run, c.report.Time = c.from.ID, c.from.Run, at(20)
			want := c.from
			c.want(&want)
			want.Sequence, want.Updated = 8, at(20)
			c.event.Job, c.event.Sequence, c.event.Time = c.from.ID, 8, at(20)
			got, events := job.Apply(c.from, c.report, now)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("job (-want +got):\n%s", d)
			}
			if d := cmp.Diff([]job.Event{c.event}, events); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}
		})
	}
}

var (
	incomplete = &job.Failure{Reason: job.ReasonIncomplete, Variant: "b", Message: `the node reported success without the variant "b"`}
	unknown    = &job.Failure{Reason: job.ReasonUnknown, Message: "the node did not say why"}
)

func TestApplyLeavesAlone(t *testing.T) {
	kinds := []job.ReportKind{job.Began, job.Postpone, job.Finished, job.GaveUp}
	check := func(name string, from job.Job, r job.Report) {
		t.Run(name, func(t *testing.T) {
			r.Time = at(20)
			got, events := job.Apply(from, r, now)
			if d := cmp.Diff(from, got); d != "" || len(events) > 0 {
				t.Errorf("changed (-want +got):\n%s\nevents %v", d, events)
			}
		})
	}
	for _, k := range kinds {
		for _, s := range []job.State{job.Succeeded, job.Failed, job.Cancelled, job.Dead} {
			check("ended "+string(s)+", "+string(k), standing(s), job.Report{Job: "job_1", Run: 2, Attempt: 3, Kind: k, Results: results("a", "b")})
		}
		for _, s := range []job.State{job.Queued, job.Running} {
			check("earlier run, "+string(s)+", "+string(k), standing(s), job.Report{Job: "job_1", Run: 1, Attempt: 3, Kind: k, Results: results("a", "b")})
			check("other job, "+string(s)+", "+string(k), standing(s), job.Report{Job: "job_2", Run: 2, Attempt: 3, Kind: k, Results: results("a", "b")})
		}
	}
	check("began twice", standing(job.Running), job.Report{Job: "job_1", Run: 2, Attempt: 2, Kind: job.Began})
	check("began late", standing(job.Running), job.Report{Job: "job_1", Run: 2, Attempt: 1, Kind: job.Began})
	check("began after it was postponed", postponed(), job.Report{Job: "job_1", Run: 2, Attempt: 2, Kind: job.Began})
	check("postponed twice", postponed(), job.Report{Job: "job_1", Run: 2, Attempt: 2, Kind: job.Postpone})
	check("postponed late", standing(job.Running), job.Report{Job: "job_1", Run: 2, Attempt: 1, Kind: job.Postpone})
	check("a kind of a later version", standing(job.Running), job.Report{Job: "job_1", Run: 2, Attempt: 2, Kind: "progress"})
}

func TestTimesNeverGoBack(t *testing.T) {
	for name, c := range map[string]struct{ told, want time.Time }{
		"a slow clock": {at(5), at(10)},
		"a fast clock": {now.Add(time.Hour), now},
		"none":         {time.Time{}, now},
		"a right one":  {at(30), at(30)},
	} {
		j, events := job.Apply(standing(job.Running), job.Report{Job: "job_1", Run: 2, Attempt: 2, Kind: job.GaveUp, Time: c.told}, now)
		if !j.Ended.Equal(c.want) || !j.Updated.Equal(c.want) || !events[0].Time.Equal(c.want) {
			t.Errorf("%s: ended %v, want %v", name, j.Ended, c.want)
		}
	}
}

func TestAccept(t *testing.T) {
	j, events := job.Accept(job.Job{ID: "job_1"}, now)
	want := job.Job{ID: "job_1", State: job.Queued, Wishes: job.Wishes{Class: job.Normal}, Run: 1, Sequence: 1, Created: now, Updated: now}
	if d := cmp.Diff(want, j); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]job.Event{{Job: "job_1", Sequence: 1, Time: now, State: job.Queued}}, events); d != "" {
		t.Error(d)
	}
}

func TestCallersAndReconciler(t *testing.T) {
	why := job.Failure{Reason: "TOO_MANY_DELIVERIES"}
	moves := map[string]func(job.Job) (job.Job, []job.Event, error){
		"cancel": func(j job.Job) (job.Job, []job.Event, error) { return job.Cancel(j, now) },
		"retry":  func(j job.Job) (job.Job, []job.Event, error) { return job.Retry(j, now) },
		"bury": func(j job.Job) (job.Job, []job.Event, error) {
			j, e := job.Bury(j, 2, why, now)
			return j, e, nil
		},
		"bury an earlier run": func(j job.Job) (job.Job, []job.Event, error) {
			j, e := job.Bury(j, 1, why, now)
			return j, e, nil
		},
		"requeue": func(j job.Job) (job.Job, []job.Event, error) {
			j, e := job.Requeue(j, 3, now)
			return j, e, nil
		},
		"requeue once too often": func(j job.Job) (job.Job, []job.Event, error) {
			j, e := job.Requeue(j, 0, now)
			return j, e, nil
		},
	}
	same := "same"
	for move, want := range map[string]map[job.State]string{
		"cancel":                 {job.Queued: "cancelled", job.Running: "cancelled", job.Succeeded: "JOB_ENDED", job.Failed: "JOB_ENDED", job.Cancelled: same, job.Dead: "JOB_ENDED"},
		"retry":                  {job.Queued: "JOB_NOT_ENDED", job.Running: "JOB_NOT_ENDED", job.Succeeded: "JOB_SUCCEEDED", job.Failed: "queued", job.Cancelled: "queued", job.Dead: "queued"},
		"bury":                   {job.Queued: "dead", job.Running: "dead", job.Succeeded: same, job.Failed: same, job.Cancelled: same, job.Dead: same},
		"bury an earlier run":    {job.Queued: same, job.Running: same, job.Succeeded: same, job.Failed: same, job.Cancelled: same, job.Dead: same},
		"requeue":                {job.Queued: "queued", job.Running: "queued", job.Succeeded: same, job.Failed: same, job.Cancelled: same, job.Dead: same},
		"requeue once too often": {job.Queued: "dead", job.Running: "dead", job.Succeeded: same, job.Failed: same, job.Cancelled: same, job.Dead: same},
	} {
		for from, outcome := range want {
			t.Run(move+", "+string(from), func(t *testing.T) {
				before := standing(from)
				got, events, err := moves[move](before)
				switch {
				case fault.ReasonOf(err) != "":
					if fault.ReasonOf(err) != outcome || !fault.Is(err, fault.Conflict) {
						t.Errorf("refused with %v, want %s", err, outcome)
					}
				case len(events) == 0:
					if d := cmp.Diff(before, got); d != "" || outcome != same {
						t.Errorf("no event, want %s; %s", outcome, d)
					}
				default:
					e := events[0]
					if string(got.State) != outcome || e.State != got.State || e.Sequence != 8 || got.Sequence != 8 || !e.Time.Equal(now) {
						t.Errorf("became %+v with %+v, want %s", got, events, outcome)
					}
					if got.State.Ended() == got.Ended.IsZero() {
						t.Errorf("state %s, but ended at %v", got.State, got.Ended)
					}
				}
			})
		}
	}
}

func TestRetryCountsAnew(t *testing.T) {
	from := standing(job.Dead)
	from.Failure, from.Requeues = &job.Failure{Reason: "X"}, 2
	got, _, _ := job.Retry(from, now)
	want := standing(job.Queued)
	want.Run, want.Sequence, want.Updated = 3, 8, now
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRequeueTakesTheNextFirstAttempt(t *testing.T) {
	j, _ := job.Requeue(standing(job.Running), 3, now)
	j, events := job.Apply(j, job.Report{Job: "job_1", Run: 2, Attempt: 1, Kind: job.Began, Node: "w9"}, now)
	if j.State != job.Running || j.Attempts != 1 || j.Node != "w9" || len(events) != 1 {
		t.Errorf("a new delivery after a requeue gave %+v", j)
	}
}

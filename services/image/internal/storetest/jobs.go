package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func testUpdate(t *testing.T, suite Suite) {
	s := suite.Open(t)
	_, j := withImage(t, s)
	events := must[[]job.Event](t)(s.Events(t.Context(), j.ID, 0, 10))
	for _, r := range []job.Report{
		{Kind: job.Began, Attempt: 1, Node: "w1", Time: epoch.Add(time.Second)},
		{Kind: job.Postpone, Attempt: 1, Node: "w1", Time: epoch.Add(2 * time.Second), Failure: &job.Failure{Reason: "STORAGE_AWAY", Message: "“gone”", Variant: "a"}},
		{Kind: job.Began, Attempt: 2, Node: "w2", Time: epoch.Add(3 * time.Second)},
		{Kind: job.Finished, Attempt: 2, Node: "w2", Time: epoch.Add(4 * time.Second), Results: finished(j).Results},
		{Kind: job.GaveUp, Attempt: 1, Node: "w1", Time: epoch.Add(5 * time.Second)}, // late
	} {
		r.Job, r.Run = j.ID, 1
		var more []job.Event
		j, more = job.Apply(j, r, epoch.Add(time.Hour))
		events = append(events, more...)
		same(t, "returned after "+string(r.Kind), j, report(t, s, r))
		same(t, "kept after "+string(r.Kind), j, must[job.Job](t)(s.Job(t.Context(), j.ID)))
	}
	if len(events) != 5 || j.State != job.Succeeded {
		t.Fatalf("%d events, %s", len(events), j.State)
	}
	same(t, "events", events, must[[]job.Event](t)(s.Events(t.Context(), j.ID, 0, 10)))
	same(t, "events from the middle", events[2:4], must[[]job.Event](t)(s.Events(t.Context(), j.ID, 2, 2)))
}

func testUpdateRefused(t *testing.T, suite Suite) {
	s := suite.Open(t)
	_, j := withImage(t, s)
	drain(t, s)
	no := fault.New(fault.Conflict, "NO", "no")
	_, err := s.Update(t.Context(), j.ID, func(j job.Job) (job.Change, error) {
		j.State = job.Dead
		return job.Change{Job: j, Events: []job.Event{{Job: j.ID, Sequence: 2}}}, no
	})
	if !errors.Is(err, no) {
		t.Errorf("the refusal came back as %v", err)
	}
	got, err := s.Update(t.Context(), j.ID, func(j job.Job) (job.Change, error) {
		j.State = job.Dead
		return job.Change{Job: j, Outbox: []job.Outgoing{outgoing(j)}}, nil
	})
	same(t, "a change without events", j, must[job.Job](t)(got, err))
	same(t, "the job", j, must[job.Job](t)(s.Job(t.Context(), j.ID)))
	if sent := drain(t, s); len(sent) > 0 {
		t.Errorf("messages of refused changes: %v", sent)
	}
	_, err = s.Update(t.Context(), "job_none", func(j job.Job) (job.Change, error) {
		t.Error("was asked about a job that is not there")
		return job.Change{Job: j}, nil
	})
	wantKind(t, "a job that is not there", err, fault.NotFound)
	_, err = s.Job(t.Context(), "job_none")
	wantKind(t, "a job that is not there", err, fault.NotFound)
	if events := must[[]job.Event](t)(s.Events(t.Context(), "job_none", 0, 1)); len(events) > 0 {
		t.Errorf("it has events: %v", events)
	}
}

// Many reports at once, through two managers: every change is seen by the next, and the first end wins.
func testConcurrentUpdates(t *testing.T, suite Suite) {
	s := suite.Open(t)
	handles := []job.Store{s, suite.Reopen(t, s)}
	_, j := withImage(t, s)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		ends int
	)
	for i := range 60 {
		wg.Go(func() {
			r := job.Report{Job: j.ID, Run: 1, Attempt: 1 + i/2, Kind: job.Began, Node: fmt.Sprint("w", i), Time: epoch}
			if i%10 == 9 {
				r = finished(j)
				r.Node = fmt.Sprint("w", i)
			}
			changed := false
			_, err := handles[i%2].Update(t.Context(), j.ID, func(j job.Job) (job.Change, error) {
				next, events := job.Apply(j, r, epoch.Add(time.Hour))
				changed = len(events) > 0
				return job.Change{Job: next, Events: events}, nil
			})
			if err != nil {
				t.Errorf("update %d: %v", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if changed && r.Kind == job.Finished {
				ends++
			}
		})
	}
	wg.Wait()
	if ends != 1 {
		t.Errorf("%d ends were applied", ends)
	}
	after := must[job.Job](t)(s.Job(t.Context(), j.ID))
	events := must[[]job.Event](t)(s.Events(t.Context(), j.ID, 0, 100))
	if after.State != job.Succeeded || len(after.Results) != 2 || int(after.Sequence) != len(events) {
		t.Errorf("%s with %d results, sequence %d, %d events", after.State, len(after.Results), after.Sequence, len(events))
	}
	for i, e := range events {
		if e.Sequence != int64(i+1) {
			t.Errorf("event %d has sequence %d", i, e.Sequence)
		}
	}
}

func testJobs(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im1, a := withImage(t, s)
	im2, b := withImage(t, s)
	more := newJob(im1)
	commit(t, s, more)
	c := more.Jobs[0].Job
	b = report(t, s, finished(b))
	c = report(t, s, job.Report{Job: c.ID, Run: 1, Attempt: 1, Kind: job.GaveUp, Failure: &job.Failure{Reason: "X"}})
	for _, q := range []struct {
		name  string
		f     job.Filter
		after job.ID
		limit int
		want  []job.Job
	}{
		{"all", job.Filter{}, "", 10, []job.Job{c, b, a}},
		{"a page", job.Filter{}, "", 2, []job.Job{c, b}},
		{"the next", job.Filter{}, b.ID, 2, []job.Job{a}},
		{"of an image", job.Filter{Image: im1.ID}, "", 10, []job.Job{c, a}},
		{"of an image, after", job.Filter{Image: im1.ID}, c.ID, 10, []job.Job{a}},
		{"in a state", job.Filter{States: []job.State{job.Succeeded}}, "", 10, []job.Job{b}},
		{"in two states", job.Filter{States: []job.State{job.Succeeded, job.Queued}}, "", 10, []job.Job{b, a}},
		{"of an image in a state", job.Filter{Image: im2.ID, States: []job.State{job.Queued}}, "", 10, nil},
		{"of no image", job.Filter{Image: "img_none"}, "", 10, nil},
	} {
		same(t, q.name, q.want, must[[]job.Job](t)(s.Jobs(t.Context(), q.f, q.after, q.limit)))
	}
}

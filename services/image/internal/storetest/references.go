package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func testUnreferenced(t *testing.T, suite Suite) {
	s := suite.Open(t)
	anImage(t, s, 7)
	_, j := withImage(t, s) // digest 1
	ask := func(what string, asked, want []int) {
		t.Helper()
		var digests, expect []job.Digest
		for _, n := range asked {
			digests = append(digests, digest(n))
		}
		for _, n := range want {
			expect = append(expect, digest(n))
		}
		got := must[[]job.Digest](t)(s.Unreferenced(t.Context(), digests))
		slices.Sort(got)
		if len(got)+len(expect) > 0 {
			same(t, what, expect, got)
		}
	}
	ask("none", nil, nil)
	ask("originals", []int{1, 2, 7, 8}, []int{2, 8})
	ask("results before", []int{100, 101, 102}, []int{100, 101, 102})
	report(t, s, finished(j))
	ask("results", []int{100, 101, 102}, []int{102})
	if err := s.Drop(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	ask("results that were dropped", []int{1, 100, 101}, []int{100, 101})
	if _, err := s.Forget(t.Context(), j.ImageID); err != nil {
		t.Fatal(err)
	}
	ask("all", []int{1, 7}, []int{1})
}

func testLead(t *testing.T, suite Suite) {
	s := suite.Open(t)
	other := suite.Reopen(t, s)
	for i, step := range []struct {
		store  job.Store
		duty   string
		fence  int64
		fenced bool
	}{
		{s, "a", 5, false}, {s, "a", 5, false}, {other, "a", 7, false}, {s, "a", 6, true}, {s, "b", 1, false}, {other, "a", 7, false}, {s, "a", 1 << 60, false}, {other, "a", 8, true},
	} {
		err := step.store.Lead(t.Context(), step.duty, step.fence)
		if !step.fenced {
			if err != nil {
				t.Errorf("step %d: %v", i, err)
			}
			continue
		}
		wantKind(t, fmt.Sprint("step ", i), err, fault.Conflict)
		if err != nil && fault.ReasonOf(err) != "FENCED" {
			t.Errorf("step %d: reason %q", i, fault.ReasonOf(err))
		}
	}
}

// What a caller asked for is kept to the last letter.
func testWishes(t *testing.T, suite Suite) {
	s := suite.Open(t)
	w := job.Wishes{Tenant: "ünï", Class: job.Interactive, MaxAttempts: 7, NotBefore: epoch.Add(-time.Hour), Keep: time.Hour + time.Microsecond,
		Webhook: "https://example.org/?a=%20", Unique: true}
	j := withWishes(t, s, w)
	got := must[job.Job](t)(s.Job(t.Context(), j.ID))
	same(t, "wishes", w, got.Wishes)
	same(t, "job", j, got)
}

func testMoreFilters(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := anImage(t, s, 1)
	batch := newBatch(im, 3, job.Wishes{Tenant: "a"})
	commit(t, s, batch)
	b0, b1, b2 := batch.Jobs[0].Job, batch.Jobs[1].Job, batch.Jobs[2].Job
	x, y := withWishes(t, s, job.Wishes{Tenant: "a"}), withWishes(t, s, job.Wishes{Tenant: "b", NotBefore: epoch.Add(time.Hour)})
	give := func(j job.Job, reason string) {
		report(t, s, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: job.GaveUp, Failure: &job.Failure{Reason: reason, Message: "“X”", Variant: "Y"}})
	}
	give(b1, "X")
	give(x, "X")
	give(b2, "Y")
	for _, q := range []struct {
		name  string
		f     job.Filter
		after job.ID
		limit int
		want  []job.Job
	}{
		{"of a tenant", job.Filter{Tenant: "a"}, "", 9, []job.Job{x, b2, b1, b0}},
		{"of a tenant, a page", job.Filter{Tenant: "a"}, b2.ID, 1, []job.Job{b1}},
		{"of a batch", job.Filter{Batch: batch.Batch.ID}, "", 9, []job.Job{b2, b1, b0}},
		{"of a batch, after", job.Filter{Batch: batch.Batch.ID}, b1.ID, 9, []job.Job{b0}},
		{"of a batch in a state", job.Filter{Batch: batch.Batch.ID, States: []job.State{job.Failed}}, "", 9, []job.Job{b2, b1}},
		{"for a reason", job.Filter{Reason: "X"}, "", 9, []job.Job{x, b1}},
		{"for a reason in states", job.Filter{Reason: "X", States: []job.State{job.Failed, job.Dead}, Tenant: "a"}, x.ID, 9, []job.Job{b1}},
		{"for no reason", job.Filter{Reason: "Z"}, "", 9, nil},
		{"scheduled", job.Filter{States: []job.State{job.Scheduled}}, "", 9, []job.Job{y}},
		{"all at once", job.Filter{Image: im.ID, Batch: batch.Batch.ID, Tenant: "a", Reason: "Y", States: job.States()}, "", 9, []job.Job{b2}},
		{"of no tenant that is there", job.Filter{Tenant: "c"}, "", 9, nil},
	} {
		var got, want []job.ID
		for _, j := range must[[]job.Job](t)(s.Jobs(t.Context(), q.f, q.after, q.limit)) {
			got = append(got, j.ID)
		}
		for _, j := range q.want {
			want = append(want, j.ID)
		}
		same(t, q.name, want, got)
	}
}

func testProgress(t *testing.T, suite Suite) {
	s := suite.Open(t)
	_, j := withImage(t, s)
	report(t, s, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: job.Began, Node: "w1", Time: epoch})
	j = report(t, s, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: job.Progressed, Node: "w1", Time: epoch.Add(time.Second),
		Progress: &job.Progress{Phase: "rendering", Percent: 40}})
	same(t, "the job's", job.Progress{Phase: "rendering", Percent: 40}, must[job.Job](t)(s.Job(t.Context(), j.ID)).Progress)
	events := must[[]job.Event](t)(s.Events(t.Context(), j.ID, 1, 9))
	same(t, "the events'", []job.Event{
		{Job: j.ID, Sequence: 2, Time: epoch, State: job.Running, Attempt: 1, Node: "w1"},
		{Job: j.ID, Sequence: 3, Time: epoch.Add(time.Second), State: job.Running, Attempt: 1, Node: "w1", Progress: j.Progress},
	}, events)
}

// What comes from outside may hold any bytes; what cannot be kept is replaced, and nothing fails on it.
func testStrangeText(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := newImage(1)
	im.Filename = "a\x00b\xffc"
	c := jobLike(im, job.Wishes{Tenant: "t\x00\xfe"})
	commit(t, s, job.Commit{Image: &im, Jobs: []job.Change{c}})
	got := must[job.Image](t)(s.Image(t.Context(), im.ID))
	if !strings.HasPrefix(got.Filename, "a") || !strings.HasSuffix(got.Filename, "c") {
		t.Errorf("the name is %q", got.Filename)
	}
	j := report(t, s, job.Report{Job: c.Job.ID, Run: 1, Attempt: 1, Kind: job.GaveUp, Node: "w\x00\xff", Failure: &job.Failure{Reason: "X", Message: "\x00\xffbroken"}})
	kept := must[job.Job](t)(s.Job(t.Context(), j.ID))
	if kept.Failure == nil || !strings.HasSuffix(kept.Failure.Message, "broken") {
		t.Errorf("the failure is %+v", kept.Failure)
	}
	if jobs := must[[]job.Job](t)(s.Jobs(t.Context(), job.Filter{Tenant: "t\x00\xfe", Reason: "X"}, "", 9)); len(jobs) != 1 {
		t.Errorf("%d jobs of the tenant", len(jobs))
	}
	if sent := drain(t, s); len(sent) != 1 {
		t.Errorf("sent %v", sent)
	}
}

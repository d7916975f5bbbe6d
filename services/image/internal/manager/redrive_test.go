package manager_test

import (
	"context"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// failed is a world of jobs that have ended without success: tenant "a" has some that failed, all others of b were cancelled.
func failed(t *testing.T, store job.Store, a, b int) (*world, job.Batch, job.Batch) {
	t.Helper()
	w := begin(t, func(s *setting) { s.parts.Store = store })
	stop := w.node(func(_ job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		reason := "STORAGE_AWAY"
		if task.MaxAttempts == 1 {
			reason = "BROKEN_IMAGE"
		}
		tell(job.Report{Kind: job.GaveUp, Failure: &job.Failure{Reason: reason, Message: "no"}})
		return job.Done()
	})
	ids := w.images(max(a, b))
	first := w.batch(ids[:a], job.Wishes{Tenant: "a"})
	if err := w.Batches.Watch(t.Context(), first.ID, func(job.Batch) error { return nil }); err != nil {
		t.Fatal(err)
	}
	stop()
	second := w.batch(ids[:b], job.Wishes{Tenant: "b"})
	if _, err := w.Batches.Cancel(t.Context(), second.ID); err != nil {
		t.Fatal(err)
	}
	return w, first, second
}

func TestRedrive(t *testing.T) {
	w, first, second := failed(t, nil, 30, 12)
	states := func(id job.BatchID) map[job.State]int {
		b, err := w.Batches.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return b.Counts
	}
	one, _, err := w.Jobs.List(t.Context(), job.Filter{Batch: first.ID}, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	all := []job.State{job.Failed}
	for _, c := range []struct {
		what      string
		filter    job.Filter
		limit, n  int
		remaining bool
	}{
		{"dead ones, which there are not", job.Filter{}, 0, 0, false},
		{"of nobody", job.Filter{States: all, Tenant: "c"}, 0, 0, false},
		{"for another reason", job.Filter{States: all, Reason: "BROKEN_IMAGE"}, 0, 0, false},
		{"the other's", job.Filter{States: all, Tenant: "b"}, 0, 0, false},
		{"of the other batch", job.Filter{States: all, Batch: second.ID}, 0, 0, false},
		{"of one image", job.Filter{States: all, Image: one[0].ImageID}, 0, 1, false},
		{"a few", job.Filter{States: all, Tenant: "a", Reason: "STORAGE_AWAY"}, 10, 10, true},
		{"all but one", job.Filter{States: all, Batch: first.ID}, 18, 18, true},
		{"just as many as there are", job.Filter{States: all}, 1, 1, false},
		{"none any more", job.Filter{States: all}, 0, 0, false},
		{"cancelled ones", job.Filter{States: []job.State{job.Cancelled}, Tenant: "b"}, 1000, 12, false},
	} {
		n, remaining, err := w.Jobs.Redrive(t.Context(), c.filter, c.limit)
		if err != nil || n != c.n || remaining != c.remaining {
			t.Errorf("%s: %d, %v, %v; want %d, %v", c.what, n, remaining, err, c.n, c.remaining)
		}
	}
	if a, b := states(first.ID), states(second.ID); a[job.Queued] != 30 || b[job.Queued] != 12 {
		t.Errorf("they stand as %v and %v", a, b)
	}
	w.node(succeed)
	for _, b := range []job.BatchID{first.ID, second.ID} {
		if err := w.Batches.Watch(t.Context(), b, func(job.Batch) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if got := states(b); got[job.Succeeded] == 0 || len(got) != 1 {
			t.Errorf("%s ended as %v", b, got)
		}
	}
	for what, f := range map[string]job.Filter{"queued": {States: []job.State{job.Queued}}, "succeeded": {States: []job.State{job.Succeeded}}} {
		_, _, err := w.Jobs.Redrive(t.Context(), f, 0)
		wantFault(t, "redriving what is "+what, err, fault.Invalid, "BAD_STATE")
	}
	for _, limit := range []int{-1, 1001} {
		_, _, err := w.Jobs.Redrive(t.Context(), job.Filter{}, limit)
		wantFault(t, "a wrong limit", err, fault.Invalid, "BAD_LIMIT")
	}
}

// meanwhile retries some of what a listing found before it is given away.
type meanwhile struct {
	job.Store
	retry func(job.ID)
}

func (m *meanwhile) over(real job.Store) { m.Store = real }

func (m *meanwhile) Jobs(ctx context.Context, f job.Filter, after job.ID, limit int) ([]job.Job, error) {
	found, err := m.Store.Jobs(ctx, f, after, limit)
	if m.retry != nil {
		for i := 1; i < len(found); i += 2 {
			m.retry(found[i].ID)
		}
	}
	return found, err
}

// Where somebody else is faster, Redrive goes on until it has as many as it was asked for.
func TestTwoWhoRedrive(t *testing.T) {
	m := &meanwhile{}
	w, _, second := failed(t, m, 1, 40)
	m.retry = func(id job.ID) {
		if _, err := w.Jobs.Retry(context.Background(), id); err != nil {
			t.Error(err)
		}
	}
	n, remaining, err := w.Jobs.Redrive(t.Context(), job.Filter{States: []job.State{job.Cancelled}}, 10)
	if err != nil || n != 10 || !remaining {
		t.Errorf("%d, %v, %v", n, remaining, err)
	}
	m.retry = nil
	b, err := w.Batches.Get(t.Context(), second.ID)
	if err != nil || b.Counts[job.Queued] < 15 || b.Counts[job.Cancelled] == 0 {
		t.Errorf("they stand as %+v, %v", b, err)
	}
	jobs, _, err := w.Jobs.List(t.Context(), job.Filter{Batch: second.ID}, 100, "")
	for _, j := range jobs {
		if j.Run > 2 {
			t.Errorf("%s was queued again twice: %+v, %v", j.ID, j, err)
		}
	}
}

// A store that goes away in the middle: what was done is told, and the next call goes on.
func TestRedriveOverAShakyStore(t *testing.T) {
	s := &shakyStore{with: fault.Unavailable}
	w, _, second := failed(t, s, 1, 100)
	cancelled := job.Filter{States: []job.State{job.Cancelled}}
	s.refuse.Store(1 << 30)
	_, _, err := w.Jobs.Redrive(t.Context(), cancelled, 0)
	wantFault(t, "a store that is away", err, fault.Unavailable, "STORE_AWAY")
	s.refuse.Store(0)
	total := 0
	for calls := 0; ; calls++ {
		n, remaining, err := w.Jobs.Redrive(t.Context(), cancelled, 30)
		if err != nil && (n != 0 || !fault.Is(err, fault.Unavailable)) {
			t.Fatal(n, err)
		}
		total += n
		s.refuse.Store(int64(calls+1) % 2) // one of the next is refused, whichever it is
		if err == nil && !remaining {
			break
		}
		if calls > 300 {
			t.Fatal("it never ends")
		}
	}
	if b, err := w.Batches.Get(t.Context(), second.ID); err != nil || total != 100 || b.Counts[job.Queued] != 100 {
		t.Errorf("%d were queued again; they stand as %+v, %v", total, b, err)
	}
}

package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// drain empties the outbox and tells the identifiers of what was in it.
func drain(t *testing.T, s job.Store) (sent []string) {
	t.Helper()
	for {
		n, err := s.Relay(t.Context(), job.Normal, 3, func(_ context.Context, messages []job.Outgoing) error {
			for _, m := range messages {
				sent = append(sent, m.ID)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("relaying: %v", err)
		}
		if n == 0 {
			return sent
		}
	}
}

func testOutbox(t *testing.T, suite Suite) {
	s := suite.Open(t)
	var want []job.Outgoing
	for range 5 {
		_, j := withImage(t, s)
		want = append(want, outgoing(j))
	}
	retry := func(j job.Job) (job.Change, error) {
		next, events, err := job.Cancel(j, epoch)
		return job.Change{Job: next, Events: events, Outbox: []job.Outgoing{{Topic: "other", Message: job.Message{Class: job.Normal, ID: "m", Body: []byte{0, 255}}}}}, err
	}
	_, cancelled := withImage(t, s)
	want = append(want, outgoing(cancelled), job.Outgoing{Topic: "other", Message: job.Message{Class: job.Normal, ID: "m", Body: []byte{0, 255}}})
	if _, err := s.Update(t.Context(), cancelled.ID, retry); err != nil {
		t.Fatal(err)
	}

	away := errors.New("the broker is away")
	n, err := s.Relay(t.Context(), job.Normal, 4, func(_ context.Context, messages []job.Outgoing) error {
		same(t, "offered", want[:4], messages)
		return away
	})
	if n != 0 || !errors.Is(err, away) {
		t.Errorf("relayed %d, %v, though publishing failed", n, err)
	}
	var got []job.Outgoing
	for _, expect := range []int{4, 3, 0} {
		n, err := s.Relay(t.Context(), job.Normal, 4, func(_ context.Context, messages []job.Outgoing) error {
			got = append(got, messages...)
			return nil
		})
		if n != expect || err != nil {
			t.Errorf("relayed %d, %v, want %d", n, err, expect)
		}
	}
	for i := range got {
		if len(got[i].Headers) == 0 {
			got[i].Headers = nil // none is none
		}
	}
	same(t, "published", want, got)
}

// Two relays on one store together publish everything; what both publish is for the queue's identifiers to make one.
func testTwoRelays(t *testing.T, suite Suite) {
	s := suite.Open(t)
	handles := []job.Store{s, suite.Reopen(t, s)}
	var want []string
	for range 40 {
		_, j := withImage(t, s)
		want = append(want, outgoing(j).ID)
	}
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		got = map[string]bool{}
	)
	for _, h := range handles {
		wg.Go(func() {
			for {
				n, err := h.Relay(t.Context(), job.Normal, 5, func(_ context.Context, messages []job.Outgoing) error {
					mu.Lock()
					defer mu.Unlock()
					for _, m := range messages {
						got[m.ID] = true
					}
					return nil
				})
				if err != nil {
					t.Errorf("relaying: %v", err)
				}
				if n == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	// One may find nothing because the other holds the last ones, which it then publishes: by now all are.
	for _, id := range want {
		if !got[id] {
			t.Errorf("%s was not published", id)
		}
	}
	if left := must[job.Census](t)(s.Census(t.Context())).Outbox; left != 0 {
		t.Errorf("%d messages are left", left)
	}
}

func testStale(t *testing.T, suite Suite) {
	s := suite.Open(t)
	_, unsent := withImage(t, s)
	began := func(j job.Job, after time.Duration) {
		report(t, s, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: job.Began, Node: "w1", Time: epoch.Add(after)})
	}
	_, untouched := withImage(t, s)
	_, later := withImage(t, s)
	_, done := withImage(t, s)
	_, fresh := withImage(t, s)
	var sent []string
	drained := drain(t, s)
	sent = append(sent, drained...)
	if len(sent) != 5 {
		t.Fatalf("sent %v", sent)
	}
	_, err := s.Update(t.Context(), unsent.ID, func(j job.Job) (job.Change, error) {
		next, events := job.Requeue(j, 9, epoch)
		return job.Change{Job: next, Events: events, Outbox: []job.Outgoing{outgoing(j)}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	began(later, 10*time.Second)
	began(fresh, time.Minute)
	report(t, s, finished(done))

	same(t, "stale", []job.ID{untouched.ID, later.ID}, must[[]job.ID](t)(s.Stale(t.Context(), epoch.Add(time.Minute), 10)))
	same(t, "the longest untouched", []job.ID{untouched.ID}, must[[]job.ID](t)(s.Stale(t.Context(), epoch.Add(time.Minute), 1)))
	if none := must[[]job.ID](t)(s.Stale(t.Context(), epoch, 10)); len(none) > 0 {
		t.Errorf("stale before anything happened: %v", none)
	}
}

func testCensus(t *testing.T, suite Suite) {
	s := suite.Open(t)
	zero := job.Census{Jobs: map[job.State]int{job.Scheduled: 0, job.Queued: 0, job.Running: 0, job.Succeeded: 0, job.Failed: 0, job.Cancelled: 0, job.Dead: 0}}
	same(t, "empty", zero, must[job.Census](t)(s.Census(t.Context())))
	for _, kind := range []job.ReportKind{"", "", job.Began, job.Finished, job.GaveUp} {
		_, j := withImage(t, s)
		r := finished(j)
		r.Kind = kind
		report(t, s, r)
	}
	got := must[job.Census](t)(s.Census(t.Context()))
	if got.OldestOutgoing.IsZero() || !got.OldestUnfinished.Equal(epoch) || got.Outbox != 5 {
		t.Errorf("got %+v", got)
	}
	same(t, "jobs", map[job.State]int{job.Scheduled: 0, job.Queued: 2, job.Running: 1, job.Succeeded: 1, job.Failed: 1, job.Cancelled: 0, job.Dead: 0}, got.Jobs)
	drain(t, s)
	if got := must[job.Census](t)(s.Census(t.Context())); got.Outbox != 0 || !got.OldestOutgoing.IsZero() {
		t.Errorf("after sending: %+v", got)
	}
}

func testReopened(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im, j := withImage(t, s)
	j = report(t, s, finished(j))
	other := suite.Reopen(t, s)
	same(t, "image", im, must[job.Image](t)(other.Image(t.Context(), im.ID)))
	same(t, "job", j, must[job.Job](t)(other.Job(t.Context(), j.ID)))
	if sent := drain(t, other); !slices.Equal(sent, []string{outgoing(j).ID}) {
		t.Errorf("sent %v", sent)
	}
}

func testCancelled(t *testing.T, suite Suite) {
	s := suite.Open(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
	im := newImage(1)
	c := newJob(im)
	c.Image = &im
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Commit(gone, c)
	wantKind(t, "a commit for a caller who left", err, fault.Canceled)
	_, err = s.Image(t.Context(), im.ID)
	wantKind(t, "its image", err, fault.NotFound)
	_, err = s.Image(gone, im.ID)
	wantKind(t, "a reading for a caller who left", err, fault.Canceled)
	wantKind(t, "a ping for a caller who left", s.Ping(gone), fault.Canceled)
}

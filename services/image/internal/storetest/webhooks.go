package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// endWithNotice ends a job, which puts a notice that is due then into the same change.
func endWithNotice(t *testing.T, s job.Store, j job.Job, due time.Time) job.Webhook {
	t.Helper()
	var w job.Webhook
	_, err := s.Update(t.Context(), j.ID, func(j job.Job) (job.Change, error) {
		next, events := job.Apply(j, finished(j), epoch.Add(time.Hour))
		w = job.Webhook{ID: job.NewWebhookID(events[0]), Job: j.ID, URL: "https://example.org/ü", Body: []byte{'{', 0, 255, '}'},
			State: job.WebhookPending, Due: due, Created: events[0].Time}
		return job.Change{Job: next, Events: events, Webhooks: []job.Webhook{w}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// noticed makes n jobs that ended; their notices are due a second after each other, from epoch.
func noticed(t *testing.T, s job.Store, n int) (notices []job.Webhook) {
	t.Helper()
	for i := range n {
		_, j := withImage(t, s)
		notices = append(notices, endWithNotice(t, s, j, epoch.Add(time.Duration(i)*time.Second)))
	}
	return notices
}

func testNotices(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im, j := withImage(t, s)
	refused := fault.New(fault.Conflict, "NO", "no")
	_, err := s.Update(t.Context(), j.ID, func(j job.Job) (job.Change, error) {
		next, events := job.Apply(j, finished(j), epoch.Add(time.Hour))
		return job.Change{Job: next, Events: events, Webhooks: []job.Webhook{{ID: "whk_x", Job: j.ID, State: job.WebhookPending}}}, refused
	})
	wantKind(t, "a refused change", err, fault.Conflict)
	if found := must[[]job.Webhook](t)(s.Webhooks(t.Context(), job.WebhookFilter{}, "", 9)); len(found) > 0 {
		t.Errorf("notices of a refused change: %v", found)
	}
	w := endWithNotice(t, s, j, epoch)
	same(t, "kept", []job.Webhook{w}, must[[]job.Webhook](t)(s.Webhooks(t.Context(), job.WebhookFilter{}, "", 9)))
	later := endWithNotice(t, s, withWishes(t, s, job.Wishes{}), epoch.Add(time.Minute))
	census := must[job.Census](t)(s.Census(t.Context()))
	if census.Webhooks != 2 || !census.OldestWebhook.Equal(w.Created) {
		t.Errorf("census: %d, the oldest of %v", census.Webhooks, census.OldestWebhook)
	}
	if _, err := s.Forget(t.Context(), im.ID); err != nil {
		t.Fatal(err)
	}
	same(t, "after the image was forgotten", []job.Webhook{later}, must[[]job.Webhook](t)(s.Webhooks(t.Context(), job.WebhookFilter{}, "", 9)))
}

func testClaims(t *testing.T, suite Suite) {
	s := suite.Open(t)
	w := noticed(t, s, 4)
	slices.Reverse(w) // commits and dues need not agree
	for i := range w {
		if err := s.Settle(t.Context(), w[i].ID, 0, job.WebhookOutcome{State: job.WebhookPending, Answer: "500", Due: epoch.Add(time.Duration(i) * time.Second), Time: epoch}); err != nil {
			t.Fatal(err)
		}
		w[i].Attempts, w[i].Answer = 1, "500"
	}
	claim := func(what string, now, until time.Time, limit int, want ...job.Webhook) {
		t.Helper()
		for i := range want {
			want[i].Due = until
		}
		if got := must[[]job.Webhook](t)(s.Claim(t.Context(), now, until, limit)); len(got)+len(want) > 0 {
			same(t, what, want, got)
		}
	}
	minute := epoch.Add(time.Minute)
	claim("before any is due", epoch.Add(-time.Second), minute, 9)
	claim("the longest due first", epoch.Add(2*time.Second), minute, 2, w[0], w[1])
	claim("what is left", epoch.Add(2*time.Second), minute.Add(time.Minute), 9, w[2])
	claim("nothing is left", epoch.Add(2*time.Second), minute, 9)
	claim("the longest due again", minute, minute.Add(2*time.Minute), 1, w[3])
	if got := must[[]job.Webhook](t)(s.Claim(t.Context(), minute, minute.Add(time.Hour), 9)); len(got) != 2 {
		t.Errorf("%d of two claims that ran out", len(got))
	}
}

// Two claim at once, until nothing is left: each notice is claimed once.
func testConcurrentClaims(t *testing.T, suite Suite) {
	s := suite.Open(t)
	handles := []job.Store{s, suite.Reopen(t, s)}
	want := noticed(t, s, 40)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		taken = map[job.WebhookID]int{}
	)
	for i := range 6 {
		wg.Go(func() {
			for {
				got, err := handles[i%2].Claim(t.Context(), epoch.Add(time.Hour), epoch.Add(2*time.Hour), 3)
				if err != nil {
					t.Errorf("claiming: %v", err)
				}
				mu.Lock()
				for _, w := range got {
					taken[w.ID]++
				}
				all := len(taken) == len(want)
				mu.Unlock()
				if all || err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, w := range want {
		if taken[w.ID] != 1 {
			t.Errorf("%s was claimed %d times", w.ID, taken[w.ID])
		}
	}
}

func testSettle(t *testing.T, suite Suite) {
	s := suite.Open(t)
	want := noticed(t, s, 2)
	slices.Reverse(want) // the newest first
	settle := func(what string, i, attempts int, o job.WebhookOutcome) {
		t.Helper()
		if err := s.Settle(t.Context(), want[i].ID, attempts, o); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		same(t, what, want, must[[]job.Webhook](t)(s.Webhooks(t.Context(), job.WebhookFilter{}, "", 9)))
	}
	again := job.WebhookOutcome{State: job.WebhookPending, Answer: "503 Service Unavailable", Due: epoch.Add(time.Minute), Time: epoch.Add(time.Second)}
	done := job.WebhookOutcome{State: job.WebhookDelivered, Answer: "204", Time: epoch.Add(3 * time.Second)}
	settle("of another attempt", 0, 1, again)
	want[0].Attempts, want[0].Due, want[0].Answer = 1, again.Due, again.Answer
	settle("it is tried again", 0, 0, again)
	settle("the same again", 0, 0, done)
	settle("of another attempt, not sent", 0, 0, job.WebhookOutcome{State: job.WebhookPending, Unsent: true, Due: epoch, Time: epoch})
	want[0].Due = epoch.Add(2 * time.Second)
	settle("not sent", 0, 1, job.WebhookOutcome{State: job.WebhookPending, Unsent: true, Answer: "none", Due: want[0].Due, Time: epoch})
	want[0].Attempts, want[0].State, want[0].Answer, want[0].Due, want[0].Ended = 2, job.WebhookDelivered, "204", done.Due, done.Time
	settle("delivered", 0, 1, done)
	settle("after its end", 0, 2, again)
	refused := job.WebhookOutcome{State: job.WebhookFailed, Answer: "410", Time: epoch.Add(4 * time.Second)}
	want[1].Attempts, want[1].State, want[1].Answer, want[1].Due, want[1].Ended = 1, job.WebhookFailed, "410", refused.Due, refused.Time
	settle("refused", 1, 0, refused)
	if err := s.Settle(t.Context(), "whk_none", 0, done); err != nil {
		t.Errorf("of a notice that is gone: %v", err)
	}
	if left := must[[]job.Webhook](t)(s.Claim(t.Context(), epoch.Add(time.Hour), epoch.Add(time.Hour), 9)); len(left) > 0 {
		t.Errorf("still to be sent: %v", left)
	}
}

func testReplay(t *testing.T, suite Suite) {
	s := suite.Open(t)
	w := noticed(t, s, 1)[0]
	now := epoch.Add(time.Hour)
	for _, o := range []job.WebhookOutcome{{State: job.WebhookFailed, Answer: "410", Time: epoch}, {State: job.WebhookDelivered, Answer: "200", Time: epoch}} {
		if err := s.Settle(t.Context(), w.ID, 0, o); err != nil {
			t.Fatal(err)
		}
		w.Due, w.Answer = now, o.Answer
		same(t, "replayed after "+string(o.State), w, must[job.Webhook](t)(s.Replay(t.Context(), w.ID, now)))
		same(t, "kept", []job.Webhook{w}, must[[]job.Webhook](t)(s.Webhooks(t.Context(), job.WebhookFilter{}, "", 9)))
	}
	w.Due = now.Add(time.Minute)
	same(t, "claimed", []job.Webhook{w}, must[[]job.Webhook](t)(s.Claim(t.Context(), now, now.Add(time.Minute), 9)))
	_, err := s.Replay(t.Context(), "whk_none", now)
	wantKind(t, "a notice that is not there", err, fault.NotFound)
}

func testNoticesListed(t *testing.T, suite Suite) {
	s := suite.Open(t)
	w := noticed(t, s, 5)
	if err := s.Settle(t.Context(), w[1].ID, 0, job.WebhookOutcome{State: job.WebhookDelivered, Time: epoch}); err != nil {
		t.Fatal(err)
	}
	for i, q := range []struct {
		f     job.WebhookFilter
		after job.WebhookID
		limit int
		want  []int
	}{
		{job.WebhookFilter{}, "", 9, []int{4, 3, 2, 1, 0}},
		{job.WebhookFilter{}, "", 2, []int{4, 3}},
		{job.WebhookFilter{}, w[3].ID, 2, []int{2, 1}},
		{job.WebhookFilter{}, w[0].ID, 2, nil},
		{job.WebhookFilter{State: job.WebhookPending}, w[3].ID, 9, []int{2, 0}},
		{job.WebhookFilter{State: job.WebhookDelivered}, "", 9, []int{1}},
		{job.WebhookFilter{State: job.WebhookFailed}, "", 9, nil},
		{job.WebhookFilter{Job: w[2].Job}, "", 9, []int{2}},
		{job.WebhookFilter{Job: w[2].Job, State: job.WebhookDelivered}, "", 9, nil},
		{job.WebhookFilter{Job: "job_none"}, "", 9, nil},
	} {
		var want []job.WebhookID
		for _, n := range q.want {
			want = append(want, w[n].ID)
		}
		var got []job.WebhookID
		for _, found := range must[[]job.Webhook](t)(s.Webhooks(t.Context(), q.f, q.after, q.limit)) {
			got = append(got, found.ID)
		}
		same(t, fmt.Sprint("listing ", i), want, got)
	}
}

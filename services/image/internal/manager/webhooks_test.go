package manager_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/rpc"
	"calotype/services/image/internal/webhook"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// handClock is set by hand.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *handClock { return &handClock{at: time.Now().UTC().Truncate(time.Microsecond)} }

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// arrival is a notice as a receiver got it.
type arrival struct {
	id   string
	at   string
	body []byte
}

// receive is a receiver that checks every signature by the standard's own library, and answers as the test says.
func receive(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) (url string, came chan arrival) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	came = make(chan arrival, 10_000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verifier.VerifyIgnoringTimestamp(body, r.Header) // the clocks of tests are set by hand
		}
		if err != nil {
			t.Errorf("not verified: %v", err)
		}
		came <- arrival{r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body}
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/hook", came
}

// post is a Webhooks that runs, on the store of a world.
type post struct {
	*manager.Webhooks
	stop func() // drains
	kill func() // cuts off what it is about
}

// sending starts a Webhooks on a store. Change may be nil.
func sending(t *testing.T, store job.Webhooks, change func(*manager.WebhookConfig, *manager.WebhookParts)) post {
	t.Helper()
	cfg, parts := manager.DefaultWebhookConfig(), manager.WebhookParts{Store: store, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg, &parts)
	}
	if parts.Sender == nil {
		s, err := webhook.New(webhook.Config{Secrets: webhookSecret, Allow: []string{"127.0.0.0/8"}}, "test", parts.Now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		parts.Sender = s
	}
	p := post{Webhooks: manager.NewWebhooks(cfg, parts)}
	ctx, leave := context.WithCancel(context.Background())
	work, cut := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- p.Run(ctx, work) }()
	p.stop = sync.OnceFunc(func() {
		leave()
		if err := <-over; err != nil {
			t.Errorf("sending: %v", err)
		}
		cut()
	})
	p.kill = func() { leave(); cut(); p.stop() }
	t.Cleanup(p.kill)
	return p
}

// fill puts n notices into a store, due at a time, and gives their identifiers.
func (w *world) fill(n int, url string, due time.Time) (ids []job.WebhookID) {
	w.t.Helper()
	a := w.create(manager.CreateImage{Work: manager.Work{Preset: "thumb"}})
	_, err := w.store.Update(w.t.Context(), a.Job.ID, func(j job.Job) (job.Change, error) {
		ids = nil
		next, events, err := job.Cancel(j, due)
		c := job.Change{Job: next, Events: events}
		for i := range n {
			e := events[0]
			e.Sequence = int64(1000 + i)
			id := job.NewWebhookID(e)
			ids = append(ids, id)
			c.Webhooks = append(c.Webhooks, job.Webhook{ID: id, Job: j.ID, URL: url, Body: []byte(`{"n":1}`), State: job.WebhookPending, Due: due, Created: due})
		}
		return c, err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

// noticed waits until a notice stands so.
func (w *world) noticed(p post, id job.WebhookID, holds func(job.Webhook) bool) (found job.Webhook) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("the notice %s", id), func() bool {
		var err error
		if found, err = p.Get(w.t.Context(), id); err != nil {
			w.t.Fatal(err)
		}
		return holds(found)
	})
	return found
}

func stands(state job.WebhookState, attempts int) func(job.Webhook) bool {
	return func(w job.Webhook) bool { return w.State == state && w.Attempts == attempts }
}

// A job's end is told once, as the job then stood.
func TestJobsEndIsTold(t *testing.T) {
	url, came := receive(t, nil)
	woken := make(chan struct{}, 100)
	w := begin(t, func(s *setting) {
		s.parts.Letter, s.parts.CheckURL = rpc.Letter, func(string) string { return "" }
		s.parts.Notice = func() { woken <- struct{}{} }
	})
	w.node(succeed)
	p := sending(t, w.store, nil)
	req := thumb()
	req.Wishes.Webhook = url
	a := w.create(req)
	j, story := w.ended(a.Job.ID)
	<-woken
	p.Wake()
	got := <-came
	var told struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			ID, State string
			Results   []struct{ Name string }
		}
	}
	if err := json.Unmarshal(got.body, &told); err != nil || told.Type != "job.succeeded" || !told.Timestamp.Equal(story[len(story)-1].Time) ||
		told.Data.ID != string(j.ID) || told.Data.State != "SUCCEEDED" || len(told.Data.Results) != len(j.Results) {
		t.Errorf("%v: told %s of %+v", err, got.body, j)
	}
	id := job.NewWebhookID(story[len(story)-1])
	if n := w.noticed(p, id, stands(job.WebhookDelivered, 1)); n.Answer != "answered 200 OK" || n.Ended.IsZero() || got.id != string(id) {
		t.Errorf("stands as %+v, came as %s", n, got.id)
	}
	p.stop()
	if len(came) > 0 || len(woken) > 0 {
		t.Errorf("told %d times too many", len(came))
	}
}

// The whole table of retries, by a clock that is set by hand.
func TestRetries(t *testing.T) {
	url, came := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	w, c := begin(t, still), newClock()
	id := w.fill(1, url, c.now())[0]
	p := sending(t, w.store, func(_ *manager.WebhookConfig, parts *manager.WebhookParts) { parts.Now = c.now })
	pauses := []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour}
	seen := map[string]bool{}
	for i, pause := range pauses {
		n := w.noticed(p, id, stands(job.WebhookPending, i+1))
		got := <-came
		if seen[got.at] = true; got.id != string(id) || got.at != fmt.Sprint(c.now().Unix()) || n.Answer != "answered 500 Internal Server Error" || !n.Ended.IsZero() {
			t.Errorf("attempt %d came as %s at %s, stands as %+v", i+1, got.id, got.at, n)
		}
		if wait := n.Due.Sub(c.now()); wait < pause-pause/10 || wait > pause+pause/10 {
			t.Errorf("after attempt %d it waits %v, want about %v", i+1, wait, pause)
		}
		c.set(n.Due.Add(-time.Millisecond))
		p.Wake()
		if due, err := w.store.Claim(t.Context(), c.now(), c.now(), 1); err != nil || len(due) != 0 {
			t.Errorf("due too early: %v, %v", due, err)
		}
		c.set(n.Due)
		p.Wake()
	}
	n := w.noticed(p, id, stands(job.WebhookFailed, len(pauses)+1))
	if <-came; len(came) != 0 || n.Ended.IsZero() || len(seen) != len(pauses) {
		t.Errorf("at the end %+v, %d more, at %d times", n, len(came), len(seen))
	}
	c.set(c.now().Add(100 * time.Hour))
	p.Wake()
	if due, err := w.store.Claim(t.Context(), c.now(), c.now(), 1); err != nil || len(due) != 0 {
		t.Errorf("given up, and due: %v, %v", due, err)
	}
	// It can be sent again all the same, under its name, and has all its attempts anew.
	if again, err := p.Replay(t.Context(), id); err != nil || again.State != job.WebhookPending || again.Attempts != 0 {
		t.Errorf("replayed: %+v, %v", again, err)
	}
	if got := <-came; got.id != string(id) {
		t.Errorf("replayed as %s", got.id)
	}
	w.noticed(p, id, stands(job.WebhookPending, 1))
}

func TestWhatReceiversSay(t *testing.T) {
	status, after := http.StatusGone, ""
	url, came := receive(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(status)
	})
	w, c := begin(t, still), newClock()
	p := sending(t, w.store, func(_ *manager.WebhookConfig, parts *manager.WebhookParts) { parts.Now = c.now })
	gone := w.fill(1, url, c.now())[0]
	p.Wake()
	if n := w.noticed(p, gone, stands(job.WebhookFailed, 1)); !strings.Contains(n.Answer, "410") {
		t.Errorf("gone: %+v", n)
	}
	status, after = http.StatusOK, ""
	if _, err := p.Replay(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	w.noticed(p, gone, stands(job.WebhookDelivered, 1))
	if a, b := <-came, <-came; a.id != b.id || string(a.body) != string(b.body) {
		t.Errorf("replayed, %s became %s", a.id, b.id)
	}
	status = http.StatusServiceUnavailable
	for text, want := range map[string]time.Duration{"3600": time.Hour, "1": 5 * time.Second, "9999999": 24 * time.Hour, "": 5 * time.Second} {
		after = text
		id := w.fill(1, url, c.now())[0]
		p.Wake()
		n := w.noticed(p, id, stands(job.WebhookPending, 1))
		if wait := n.Due.Sub(c.now()); wait < want-want/10 || wait > want+want/10 {
			t.Errorf("asked to wait %q, it waits %v", text, wait)
		}
	}
}

func TestListOfWebhooks(t *testing.T) {
	w := begin(t, still)
	p := manager.NewWebhooks(manager.DefaultWebhookConfig(), manager.WebhookParts{Store: w.store})
	a, b := w.fill(3, "http://a.example/x", time.Now()), w.fill(2, "http://b.example/x", time.Now())
	want := []job.WebhookID{b[1], b[0], a[2], a[1], a[0]}
	var got []job.WebhookID
	token := ""
	for range 3 {
		page, next, err := p.List(t.Context(), job.WebhookFilter{}, 2, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range page {
			got = append(got, n.ID)
		}
		token = next
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || token != "" {
		t.Errorf("listed %v, then %q; want %v", got, token, want)
	}
	one, err := p.Get(t.Context(), a[1])
	if err != nil || one.ID != a[1] || one.URL != "http://a.example/x" {
		t.Errorf("%+v, %v", one, err)
	}
	found, _, err := p.List(t.Context(), job.WebhookFilter{Job: one.Job, State: job.WebhookPending}, 0, "")
	if err != nil || len(found) != 3 {
		t.Errorf("of the job %d, %v", len(found), err)
	}
	_, next, err := p.List(t.Context(), job.WebhookFilter{Job: one.Job}, 1, "")
	if err != nil || next == "" {
		t.Fatal(next, err)
	}
	for _, token := range []string{"x", "AAAA", "AAAAAA", next + "A", strings.Repeat("A", 40)} {
		_, _, err := p.List(t.Context(), job.WebhookFilter{Job: one.Job}, 1, token)
		wantFault(t, "token "+token, err, fault.Invalid, "BAD_PAGE_TOKEN")
	}
	_, _, err = p.List(t.Context(), job.WebhookFilter{}, 1, next)
	wantFault(t, "another listing's token", err, fault.Invalid, "BAD_PAGE_TOKEN")
	for _, id := range []job.WebhookID{"", "whk_", "whk_1", "_1", "abcdefgh_1", a[0] + "0", "whk_01JQ0000000000000000000000_1"} {
		_, err := p.Get(t.Context(), id)
		wantFault(t, "get "+string(id), err, fault.NotFound, "WEBHOOK_NOT_FOUND")
		_, err = p.Replay(t.Context(), id)
		wantFault(t, "replay "+string(id), err, fault.NotFound, "WEBHOOK_NOT_FOUND")
	}
}

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/postgres"
	"calotype/test/servers"
)

// ledger is what callers were told.
type ledger struct {
	mu       sync.Mutex
	accepted map[job.ID]job.ImageID // and, when it is there, so is everything that came with it
	ended    map[job.ID]bool
	refused  map[job.ID]bool // of which nothing may be there
	unsure   map[job.ID]bool // of which everything or nothing may be there
}

func (l *ledger) note(in map[job.ID]bool, id job.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in[id] = true
}

func (l *ledger) done() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.ended)
}

func (l *ledger) failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.refused) + len(l.unsure)
}

const notKnown = "the job store went away, and whether it kept the change is not known"

// keyed marks the jobs that came with an idempotency key.
const keyed = "keyed"

// live accepts jobs, every other one under a key, and ends them until ctx is over.
func (l *ledger) live(ctx context.Context, t *testing.T, s *postgres.Store, ids *job.IDs) {
	for n := 0; ctx.Err() == nil; n++ {
		now := time.Now().Truncate(time.Microsecond)
		im := job.Image{ID: ids.Image(now), Created: now}
		j, events := job.Accept(job.Job{ID: ids.Job(now), ImageID: im.ID, Preset: []string{keyed, ""}[n%2]}, now)
		receipt := job.Receipt{Image: im.ID, Job: j.ID, Created: now, Expires: now.Add(time.Hour)}
		if j.Preset == keyed {
			receipt.Key = string(j.ID)
		}
		_, err := s.Commit(context.Background(), job.Commit{
			Image: &im, Jobs: []job.Change{{Job: j, Events: events, Outbox: []job.Outgoing{{Topic: job.Tasks, Message: job.Message{ID: string(j.ID), Body: []byte("x")}}}}},
			Receipt: receipt,
		})
		switch e := fault.As(err); {
		case err == nil:
			l.mu.Lock()
			l.accepted[j.ID] = im.ID
			l.mu.Unlock()
		case e == nil || e.Kind != fault.Unavailable:
			t.Errorf("committing: %v", err)
			return
		case e.Message == notKnown:
			l.note(l.unsure, j.ID)
			continue
		default:
			l.note(l.refused, j.ID)
			continue
		}
		for err = context.Canceled; err != nil; { // as a queue brings a report again
			_, err = s.Update(context.Background(), j.ID, func(j job.Job) (job.Change, error) {
				next, events := job.Apply(j, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: job.Finished, Node: "w1"}, time.Now())
				return job.Change{Job: next, Events: events, Webhooks: notices(events)}, nil
			})
			if err != nil && !fault.Is(err, fault.Unavailable) {
				t.Errorf("updating: %v", err)
				return
			}
		}
		l.note(l.ended, j.ID)
	}
}

func notices(events []job.Event) (made []job.Webhook) {
	for _, e := range events {
		made = append(made, job.Webhook{ID: job.NewWebhookID(e), Job: e.Job, State: job.WebhookPending, Due: e.Time, Created: e.Time})
	}
	return made
}

// What was acknowledged is there after the server was killed or restarted, whole and once; what was refused is not.
func TestServerEndsUnderLoad(t *testing.T) {
	server := servers.NewPostgres(t)
	url := server.Database(t)
	hasty := configFor(url)
	hasty.Timeout = 700 * time.Millisecond
	handles := []*postgres.Store{open(t, configFor(url)), open(t, hasty)}
	l := &ledger{accepted: map[job.ID]job.ImageID{}, ended: map[job.ID]bool{}, refused: map[job.ID]bool{}, unsure: map[job.ID]bool{}}
	ctx, stop := context.WithCancel(t.Context())
	ids := job.NewIDs()
	var callers sync.WaitGroup
	for i := range 12 {
		callers.Go(func() { l.live(ctx, t, handles[i%2], ids) })
	}
	more := func(count func() int, n int) {
		t.Helper()
		late := time.After(60 * time.Second)
		for before := count(); count() < before+n; {
			select {
			case <-late:
				t.Fatalf("only %d more, want %d", count()-before, n)
			case <-time.After(time.Millisecond):
			}
		}
	}
	none := func() {}
	for round, c := range []struct{ end, wait, begin func() }{
		{server.Kill, none, server.Start},
		{server.Stop, none, server.Start},
		{server.Kill, func() { more(l.failed, 5) }, server.Start},
		{server.Freeze, func() { more(l.failed, 5) }, server.Thaw},
		{server.Kill, none, server.Start},
	} {
		more(l.done, 50+17*round)
		c.end()
		c.wait()
		c.begin()
	}
	more(l.done, 50)
	stop()
	callers.Wait()
	t.Logf("%d accepted, %d ended, %d refused, of %d it is not known", len(l.accepted), len(l.ended), len(l.refused), len(l.unsure))
	l.check(t, handles[0])
}

func (l *ledger) check(t *testing.T, s *postgres.Store) {
	t.Helper()
	waiting := map[string]int{}
	for n := 1; n > 0; {
		var err error
		n, err = s.Relay(t.Context(), job.Normal, 100, func(_ context.Context, ms []job.Outgoing) error {
			for _, m := range ms {
				waiting[m.ID]++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	whole := func(id job.ID, im job.ImageID) error {
		_, imageErr := s.Image(t.Context(), im)
		j, jobErr := s.Job(t.Context(), id)
		var receiptErr error
		if j.Preset == keyed {
			_, receiptErr = s.Receipt(t.Context(), string(id), time.Now())
		}
		events, eventsErr := s.Events(t.Context(), id, 0, 9)
		notices, noticesErr := s.Webhooks(t.Context(), job.WebhookFilter{Job: id}, "", 9)
		want := 1
		if l.ended[id] || j.State.Ended() {
			want = 2
		}
		if err := errors.Join(imageErr, jobErr, receiptErr, eventsErr, noticesErr); err != nil {
			return err
		}
		if len(events) != want || len(notices) != want-1 || waiting[string(id)] != 1 {
			return fmt.Errorf("%d events and %d notices for %d, %d messages", len(events), len(notices), want, waiting[string(id)])
		}
		return nil
	}
	for id, im := range l.accepted {
		if err := whole(id, im); err != nil {
			t.Errorf("%s was accepted and is not whole: %v", id, err)
		}
	}
	jobs, err := s.Jobs(t.Context(), job.Filter{}, "", 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if l.refused[j.ID] {
			t.Errorf("%s was refused and is there", j.ID)
		}
		if err := whole(j.ID, j.ImageID); err != nil {
			t.Errorf("%s is not whole: %v", j.ID, err)
		}
	}
	if len(jobs) < len(l.accepted) || len(jobs) > len(l.accepted)+len(l.unsure) {
		t.Errorf("%d jobs are there", len(jobs))
	}
}

// A server that is away, or hangs, is told of in bounded time; once it is back, the next call works.
func TestServerAway(t *testing.T) {
	server := servers.NewPostgres(t, "fsync=off")
	cfg := configFor(server.Database(t))
	cfg.Timeout, cfg.ConnectTimeout = 2*time.Second, time.Second
	s := open(t, cfg)
	now := time.Now()
	asks := map[string]func() error{
		"a read": func() error { _, err := s.Images(t.Context(), "", 1); return err },
		"a write": func() error {
			_, err := s.Commit(t.Context(), job.Commit{Image: &job.Image{ID: job.NewIDs().Image(now), Created: now}})
			return err
		},
		"a relay": func() error { _, err := s.Relay(t.Context(), job.Normal, 1, nil); return err },
		"a ping":  func() error { return s.Ping(t.Context()) },
	}
	fails := func(how string) {
		t.Helper()
		for what, ask := range asks {
			began := time.Now()
			err := ask()
			if err == nil || !fault.Is(err, fault.Unavailable) || fault.ReasonOf(err) != "STORE_UNAVAILABLE" {
				t.Errorf("%s of a server that %s: %v", what, how, err)
			}
			t.Logf("%s of a server that %s: %v", what, how, time.Since(began))
		}
	}
	works := func(how string) {
		t.Helper()
		for what, ask := range asks {
			if err := ask(); err != nil {
				t.Errorf("%s once it %s: %v", what, how, err)
			}
		}
	}
	works("was opened")
	server.Kill()
	fails("is gone")
	server.Start()
	works("was started again")
	server.Freeze()
	fails("hangs")
	server.Thaw()
	works("went on")
	server.Stop()
	server.Start()
	works("was restarted in between")
}

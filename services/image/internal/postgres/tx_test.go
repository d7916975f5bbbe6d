package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/test/servers"
)

func TestTransactions(t *testing.T) {
	server := servers.NewPostgres(t, "fsync=off", "deadlock_timeout=50ms")
	for name, test := range map[string]func(*testing.T, *Store){
		"ConflictsAreTriedAgain": testConflictsAreTriedAgain,
		"Outcome":                testOutcome,
		"TogetherTheyFailAlone":  testTogetherTheyFailAlone,
		"ClosedRefuses":          testClosedRefuses,
		"ManyRows":               testManyRows,
		"FewRows":                testFewRows,
		"Upgrade":                testUpgrade,
		"SlowLanes":              testSlowLanes,
		"Pace":                   testPace,
	} {
		t.Run(name, func(t *testing.T) { test(t, openHere(t, server)) })
	}
}

func openHere(t *testing.T, server *servers.Postgres) *Store {
	t.Helper()
	cfg := DefaultConfig()
	cfg.URL = server.Database(t)
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func keepToken(ctx context.Context, tx *sql.Tx, token string) error {
	_, err := tx.ExecContext(ctx, tokenQuery, token)
	return err
}

func lead(ctx context.Context, tx *sql.Tx, duty string) error {
	_, err := tx.ExecContext(ctx, "UPDATE leaders SET fence = fence + 1 WHERE duty = $1", duty)
	return err
}

// Of two transactions that wait for each other the server undoes one, and of two that contradict each other the later: it is tried
// again, and nobody hears of it.
func testConflictsAreTriedAgain(t *testing.T, s *Store) {
	for _, duty := range []string{"a", "b"} {
		if err := s.Lead(t.Context(), duty, 0); err != nil {
			t.Fatal(err)
		}
	}
	fences := func() (a, b int) {
		if err := s.db.QueryRow("SELECT sum(fence) FILTER (WHERE duty = 'a'), sum(fence) FILTER (WHERE duty = 'b') FROM leaders").Scan(&a, &b); err != nil {
			t.Fatal(err)
		}
		return a, b
	}
	var (
		wg, both sync.WaitGroup
		mu       sync.Mutex
		tries    int
	)
	both.Add(2)
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			first := true
			err := s.once(t.Context(), "testing", func(ctx context.Context, tx *sql.Tx, token string) (bool, error) {
				mu.Lock()
				tries++
				mu.Unlock()
				if err := lead(ctx, tx, order[0]); err != nil {
					return false, err
				}
				if first {
					first = false
					both.Done()
					both.Wait()
				}
				if err := lead(ctx, tx, order[1]); err != nil {
					return false, err
				}
				return true, keepToken(ctx, tx, token)
			})
			if err != nil {
				t.Errorf("in the order %v: %v", order, err)
			}
		})
	}
	wg.Wait()
	if a, b := fences(); a != 2 || b != 2 || tries != 3 {
		t.Errorf("the deadlock left %d and %d after %d tries, want 2 and 2 after 3", a, b, tries)
	}

	tries = 0
	err := s.once(t.Context(), "testing", func(ctx context.Context, tx *sql.Tx, token string) (bool, error) {
		if _, err := tx.ExecContext(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			return false, err
		}
		if err := keepToken(ctx, tx, token); err != nil { // its view of the data begins
			return false, err
		}
		if tries++; tries == 1 {
			if _, err := s.db.ExecContext(ctx, "UPDATE leaders SET fence = 10 WHERE duty = 'a'"); err != nil {
				return false, err
			}
		}
		return true, lead(ctx, tx, "a")
	})
	if a, _ := fences(); err != nil || a != 11 || tries != 2 {
		t.Errorf("after the contradiction %d, %d tries, %v", a, tries, err)
	}
}

// When the answer to a commit is lost, the server is asked what came of it.
func testOutcome(t *testing.T, s *Store) {
	lost := errors.New("lost")
	end := func(over func(*sql.Tx) error) string {
		tx, err := s.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		token := rand.Text()
		if err := errors.Join(keepToken(t.Context(), tx, token), over(tx)); err != nil {
			t.Fatal(err)
		}
		return token
	}
	if err := s.outcome(t.Context(), end((*sql.Tx).Commit), lost); err != nil {
		t.Errorf("of a commit: %v", err)
	}
	if err := s.outcome(t.Context(), end((*sql.Tx).Rollback), lost); !errors.Is(err, lost) || fault.As(err) != nil {
		t.Errorf("of a rollback: %v", err)
	}
	for _, late := range []struct {
		end  func(*sql.Tx) error
		want error
	}{{(*sql.Tx).Commit, nil}, {(*sql.Tx).Rollback, lost}} {
		var open *sql.Tx
		token := end(func(tx *sql.Tx) error { open = tx; return nil })
		asked := make(chan error, 1)
		go func() {
			for n := 0; n == 0; { // until somebody waits
				if err := s.db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").Scan(&n); err != nil {
					asked <- err
					return
				}
			}
			asked <- late.end(open)
		}()
		if err := s.outcome(t.Context(), token, lost); !errors.Is(err, late.want) || fault.As(err) != nil {
			t.Errorf("of one that is over later: %v, want %v", err, late.want)
		}
		if err := <-asked; err != nil {
			t.Error(err)
		}
	}
	var open *sql.Tx
	token := end(func(tx *sql.Tx) error { open = tx; return nil })
	s.timeout = 100 * time.Millisecond
	if err := s.outcome(t.Context(), token, lost); err == nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("of one that is not over in time: %v", err)
	}
	if err := open.Rollback(); err != nil {
		t.Error(err)
	}
}

// Those who share a transaction fail alone: a refusal, a missing image, a defect, a caller who left.
func testTogetherTheyFailAlone(t *testing.T, s *Store) {
	ids, now := job.NewIDs(), time.Now()
	im := job.Image{ID: ids.Image(now), Created: now}
	if _, err := s.Commit(t.Context(), job.Commit{Image: &im}); err != nil {
		t.Fatal(err)
	}
	accept := func(image job.ImageID, key string) *waiting[*commit] {
		j, events := job.Accept(job.Job{ID: ids.Job(now), ImageID: image, Wishes: job.Wishes{Unique: key == "unique"}}, now)
		c := job.Commit{Jobs: []job.Change{{Job: j, Events: events}}}
		if key != "" {
			c.Receipt = job.Receipt{Key: key, Payload: job.Digest(image), Image: image, Job: j.ID, Created: now, Expires: now.Add(time.Hour)}
		}
		return &waiting[*commit]{ctx: t.Context(), write: &commit{Commit: c}, done: make(chan error, 1)}
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	gone := accept(im.ID, "")
	gone.ctx = left
	first, same, other := accept(im.ID, "key"), accept(im.ID, "key"), accept("img_none", "key")
	one, two := accept(im.ID, "unique"), accept(im.ID, "unique")
	two.write.Receipt.Key = ""
	all := []*waiting[*commit]{accept(im.ID, ""), accept("img_none", ""), gone, first, same, other, one, two}
	s.commits.make(append([]*waiting[*commit](nil), all...))
	for i, want := range []fault.Kind{0, fault.NotFound, fault.Canceled, 0, 0, fault.Conflict, 0, 0} {
		err := errors.Join(<-all[i].done, all[i].write.err)
		if (err == nil) != (want == 0) || err != nil && !fault.Is(err, want) {
			t.Errorf("commit %d: %v", i, err)
		}
	}
	if same.write.inForce.Job != first.write.inForce.Job || two.write.inForce.Job != one.write.inForce.Job {
		t.Errorf("the same answer for the same: %v, %v", same.write.inForce, two.write.inForce)
	}

	change := func(id job.ID, kind job.ReportKind, attempt int) *waiting[*update] {
		return &waiting[*update]{ctx: t.Context(), done: make(chan error, 1), write: &update{id: id, change: func(j job.Job) (job.Change, error) {
			switch kind {
			case "refuse":
				return job.Change{}, fault.New(fault.Conflict, "NO", "no")
			case "panic":
				panic("a defect")
			}
			next, events := job.Apply(j, job.Report{Job: id, Run: 1, Attempt: attempt, Kind: kind}, now)
			return job.Change{Job: next, Events: events}, nil
		}}}
	}
	a, b := all[0].write.Jobs[0].Job.ID, first.write.Jobs[0].Job.ID
	for _, withPanic := range []bool{false, true} {
		updates := []*waiting[*update]{change(a, job.Began, 1), change(b, "refuse", 1), change("job_none", job.Began, 1), change(a, job.Began, 2), change(b, job.Began, 1), change(a, job.Finished, 2)}
		kinds := []fault.Kind{0, fault.Conflict, fault.NotFound, 0, 0, 0}
		if withPanic {
			updates, kinds = append(updates, change(b, "panic", 1)), append(kinds, fault.Internal)
		}
		s.updates.make(append([]*waiting[*update](nil), updates...))
		for i, want := range kinds {
			err := errors.Join(<-updates[i].done, updates[i].write.err)
			if (err == nil) != (want == 0 && !(withPanic && i == 6)) || err != nil && !fault.Is(err, want) {
				t.Errorf("update %d: %v", i, err)
			}
		}
	}
	events, err := s.Events(t.Context(), a, 0, 9)
	if err != nil || len(events) != 4 || events[3].State != job.Succeeded {
		t.Errorf("%d events of three changes at once, %v", len(events), err)
	}
	if now := s.turns.onWay; len(now) > 0 {
		t.Errorf("turns that are remembered: %v", now)
	}
}

func testClosedRefuses(t *testing.T, s *Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), job.Commit{}); err == nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("a write after closing: %v", err)
	}
}

package litequeue

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

func openLong(t *testing.T) *Queue {
	cfg := DefaultConfig()
	cfg.Path, cfg.Lease = filepath.Join(t.TempDir(), "q.db"), time.Hour
	q, err := Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// change runs a statement as another process might have.
func change(t *testing.T, q *Queue, statement string) {
	t.Helper()
	err := q.do(context.Background(), false, func(t tx) error { _, err := t.exec(statement); return err })
	if err != nil {
		t.Fatal(err)
	}
}

// An owner learns at its next renewal that its lease is gone; one whose lease holds is not disturbed.
func TestRenewalFindsWhatIsLost(t *testing.T) {
	q := openLong(t)
	if err := q.Publish(context.Background(), "t", job.Message{ID: "kept"}, job.Message{ID: "taken"}); err != nil {
		t.Fatal(err)
	}
	began := map[string]chan context.Context{"kept": make(chan context.Context, 1), "taken": make(chan context.Context, 1)}
	finish := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- q.Consume(ctx, "t", 2, func(ctx context.Context, d job.Delivery) job.Verdict {
			began[d.ID] <- ctx
			<-finish
			return job.Done()
		})
	}()
	kept, taken := <-began["kept"], <-began["taken"]
	change(t, q, "UPDATE messages SET attempt = attempt + 1 WHERE id = 'taken'")
	change(t, q, "UPDATE messages SET due = due - 1000000 WHERE id = 'kept'")
	for _, c := range q.all() {
		if err := c.renewAll(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if taken.Err() == nil {
		t.Error("the owner of a lost lease was not told")
	}
	if kept.Err() != nil {
		t.Error("the owner of a lease that holds was told that it is lost")
	}
	change(t, q, "DELETE FROM messages WHERE id = 'kept' AND due < unixepoch() * 1000 + 3000000")
	if d, err := q.Depth(context.Background(), "t"); err != nil || d.Leased+d.Ready != 2 {
		t.Errorf("the lease that holds was not renewed: %+v, %v", d, err)
	}
	close(finish)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A message that was lost before is delivered alone, whatever comes before and after it.
func TestWhatWasLostKeepsOthersWaiting(t *testing.T) {
	q := openLong(t)
	publish := func(topic, id string) {
		t.Helper()
		if err := q.Publish(context.Background(), topic, job.Message{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	began, finish := make(chan string, 10), map[string]chan struct{}{"before": make(chan struct{}), "lost": make(chan struct{}), "after": make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- q.Consume(ctx, "t", 3, func(_ context.Context, d job.Delivery) job.Verdict {
			began <- d.ID
			<-finish[d.ID]
			return job.Done()
		})
	}()
	// quiet gives the consumer every chance to take something, and expects that it does not.
	quiet := func(why string) {
		t.Helper()
		for range 30 {
			q.wake("t")
			publish("other", time.Now().String())
		}
		if len(began) > 0 {
			t.Errorf("%s: %s began", why, <-began)
		}
	}
	publish("t", "before")
	if got := <-began; got != "before" {
		t.Fatalf("%s began", got)
	}
	change(t, q, "INSERT INTO messages (topic, id, headers, body, published, due, attempt, lost) VALUES ('t', 'lost', x'7b7d', x'', 0, 0, 1, 1)")
	publish("t", "after")
	quiet("while a neighbour runs")
	close(finish["before"])
	if got := <-began; got != "lost" {
		t.Fatalf("%s began", got)
	}
	quiet("while it runs")
	close(finish["lost"])
	if got := <-began; got != "after" {
		t.Fatalf("%s began", got)
	}
	close(finish["after"])
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

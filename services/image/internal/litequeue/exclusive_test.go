package litequeue_test

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/litequeue"
	"calotype/services/image/internal/queuetest"
)

const patience = 60 * time.Second

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
		panic("unreachable")
	}
}

// consume works in the background until stop, the test's end, or the queue's.
func consume(t *testing.T, q *litequeue.Queue, topic string, slots int, handle job.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = q.Consume(ctx, topic, slots, handle) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

func publish(t *testing.T, q *litequeue.Queue, topic string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := q.Publish(context.Background(), topic, job.Message{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever uses the file alone and starts again after a kill goes on at once, however long the lease.
func TestExclusiveGoesOnAtOnce(t *testing.T) {
	f := newFile(t, queuetest.Settings{Lease: 10 * patience, MaxDeliveries: 5})
	f.cfg.Exclusive = true
	attempts := make(chan int, 1)
	for want := 1; want <= 3; want++ {
		q := f.open(t)
		if want == 1 {
			publish(t, q, "t", "a")
		}
		consume(t, q, "t", 1, func(ctx context.Context, d job.Delivery) job.Verdict {
			attempts <- d.Attempt
			<-ctx.Done()
			return job.Done()
		})
		if got := receive(t, attempts, "delivery"); got != want {
			t.Fatalf("attempt %d, want %d", got, want)
		}
		q.Kill()
	}
}

func TestExclusiveRefusesCompany(t *testing.T) {
	f := newFile(t, queuetest.Settings{Lease: time.Second, MaxDeliveries: 3})
	alone := f
	alone.cfg.Exclusive = true
	for _, c := range []struct{ first, second file }{{alone, alone}, {alone, f}, {f, alone}} {
		q := c.first.open(t)
		if _, err := litequeue.Open(c.second.cfg, slog.New(slog.DiscardHandler)); fault.ReasonOf(err) != "QUEUE_IN_USE" {
			t.Errorf("exclusive %t, then exclusive %t: %v", c.first.cfg.Exclusive, c.second.cfg.Exclusive, err)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// While the file cannot be written, leases cannot be renewed: their owners must know before others may take over.
func TestAStalledDiskEndsTheHandlersContext(t *testing.T) {
	f := newFile(t, queuetest.Settings{Lease: 300 * time.Millisecond, MaxDeliveries: 3})
	q := f.open(t)
	publish(t, q, "t", "a")
	began, ended := make(chan int, 2), make(chan struct{}, 2)
	consume(t, q, "t", 1, func(ctx context.Context, d job.Delivery) job.Verdict {
		began <- d.Attempt
		if d.Attempt == 1 {
			<-ctx.Done()
			ended <- struct{}{}
		}
		return job.Done()
	})
	receive(t, began, "delivery")
	db, err := sql.Open("sqlite", f.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	stall, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, err = stall.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil; {
		_, err = stall.ExecContext(context.Background(), "BEGIN IMMEDIATE")
	}
	receive(t, ended, "end of the handler's context")
	if _, err := stall.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := stall.Close(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, began, "redelivery"); got != 2 {
		t.Errorf("attempt %d, want 2", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	f := newFile(t, queuetest.Settings{})
	if _, err := litequeue.Open(f.cfg, slog.New(slog.DiscardHandler)); !fault.Is(err, fault.Invalid) || len(fault.As(err).Fields) != 2 {
		t.Errorf("no lease and no deliveries gave %v", err)
	}
	later := newFile(t, queuetest.Settings{Lease: time.Second, MaxDeliveries: 1})
	db, err := sql.Open("sqlite", later.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := litequeue.Open(later.cfg, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file of a later version was opened")
	}
}

func TestAClosedQueueSaysSo(t *testing.T) {
	q := newFile(t, queuetest.Settings{Lease: time.Second, MaxDeliveries: 1}).open(t)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	_, depth := q.Depth(ctx, "t")
	for what, err := range map[string]error{
		"Publish": q.Publish(ctx, "t", job.Message{ID: "a"}),
		"Consume": q.Consume(ctx, "t", 1, func(context.Context, job.Delivery) job.Verdict { return job.Done() }),
		"Depth":   depth,
	} {
		if fault.ReasonOf(err) != "QUEUE_CLOSED" || !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

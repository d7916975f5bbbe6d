package litequeue_test

import (
	"context"
	"database/sql"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/queuetest"
)

// steal ends all leases in the file, as a jump of the clock does, behind their owners' backs.
func (f file) steal(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", f.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("PRAGMA busy_timeout = 10000; UPDATE messages SET due = 0 WHERE leased = 1"); err != nil {
		t.Fatal(err)
	}
}

// An owner that does not know yet that its lease is gone may say that it is done: the new owner's delivery stands.
func TestAZombiesVerdictChangesNothing(t *testing.T) {
	for name, verdict := range map[string]job.Verdict{"done": job.Done(), "again": job.Again(0), "set aside": job.SetAside("a test")} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t, queuetest.Settings{Lease: 10 * patience, MaxDeliveries: 5})
			first, second := f.open(t), f.open(t)
			publish(t, first, "t", "a")
			began, finish := make(chan int, 10), [3]chan struct{}{1: make(chan struct{}), 2: make(chan struct{})}
			handle := func(_ context.Context, d job.Delivery) job.Verdict {
				began <- d.Attempt
				<-finish[d.Attempt]
				if d.Attempt == 1 {
					return verdict
				}
				return job.Done()
			}
			stop := consume(t, first, "t", 1, handle)
			receive(t, began, "delivery")
			f.steal(t)
			consume(t, second, "t", 1, handle)
			if got := receive(t, began, "redelivery"); got != 2 {
				t.Fatalf("attempt %d, want 2", got)
			}
			close(finish[1])
			stop() // returns when the zombie's verdict is written
			if d, err := second.Depth(context.Background(), "t"); err != nil || d != (job.Depth{Leased: 1}) {
				t.Errorf("the new owner's message: %+v, %v", d, err)
			}
			close(finish[2])
			until(t, "the topic is empty", func() bool {
				d, err := second.Depth(context.Background(), "t")
				return err == nil && d == job.Depth{}
			})
			if d, err := second.Depth(context.Background(), "t.dead"); err != nil || d.Ready > 0 {
				t.Errorf("dead letters: %+v, %v", d, err)
			}
		})
	}
}

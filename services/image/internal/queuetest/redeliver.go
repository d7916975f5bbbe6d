package queuetest

import (
	"context"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

func againWaits(t *testing.T, x *exercise) {
	const wait = 300 * time.Millisecond
	q := x.usual(t).Connect(t)
	publish(t, q, "t", job.Message{ID: "slow", Headers: map[string]string{"k": "v"}, Body: []byte("x")})
	decided, came := make(chan time.Time, 1), make(chan time.Time, 1)
	consuming(t, q, "t", 1, func(_ context.Context, d job.Delivery) job.Verdict {
		switch {
		case d.ID != "slow":
			return job.Done()
		case d.Attempt == 1:
			decided <- time.Now()
			return job.Again(wait)
		}
		came <- time.Now()
		if d.Attempt != 2 || d.Headers["k"] != "v" || string(d.Body) != "x" {
			t.Errorf("it came back as %+v", d)
		}
		return job.Done()
	})
	start := receive(t, decided, "first delivery")
	until(t, "the message waits", func() bool { d := depth(t, q, "t"); return d.Ready == 1 && d.Leased == 0 || len(came) > 0 })
	publish(t, q, "t", job.Message{ID: "quick"}) // what waits holds nothing up
	end := receive(t, came, "second delivery")
	// Clocks of brokers count in milliseconds.
	if waited := end.Sub(start); waited < wait-2*time.Millisecond {
		t.Errorf("it came back after %s, not %s", waited, wait)
	}
	empties(t, q, "t")
}

func againIsNoLoss(t *testing.T, x *exercise) {
	q := x.new(t, Settings{Lease: 2 * time.Second, MaxDeliveries: 2}).Connect(t)
	publish(t, q, "t", numbered(1)...)
	attempts := make(chan int, 100)
	consuming(t, q, "t", 1, func(_ context.Context, d job.Delivery) job.Verdict {
		attempts <- d.Attempt
		if d.Attempt <= 5 {
			return job.Again(0)
		}
		return job.Done()
	})
	for want := 1; want <= 6; want++ {
		if got := receive(t, attempts, "delivery"); got != want {
			t.Fatalf("attempt %d, want %d", got, want)
		}
	}
	empties(t, q, "t")
	if d := depth(t, q, "t.dead"); d.Ready != 0 {
		t.Error("it was set aside")
	}
}

func deathRedelivers(t *testing.T, x *exercise) {
	b := x.new(t, Settings{Lease: 300 * time.Millisecond, MaxDeliveries: 3})
	first, second := b.Connect(t), b.Connect(t)
	publish(t, second, "t", job.Message{ID: "a", Headers: map[string]string{"k": "v"}, Body: []byte("x")})
	ended := make(chan struct{})
	began := make(chan job.Delivery, 1)
	go func() {
		_ = first.Consume(context.Background(), "t", 1, func(ctx context.Context, d job.Delivery) job.Verdict {
			began <- d
			<-ctx.Done()
			close(ended)
			return job.Done() // too late: it must not count
		})
	}()
	if d := receive(t, began, "first delivery"); d.Attempt != 1 {
		t.Errorf("attempt %d, want 1", d.Attempt)
	}
	first.Kill()
	receive(t, ended, "end of the handler's context")
	got, _ := collecting(t, second, "t")
	if d := receive(t, got, "redelivery"); d.ID != "a" || d.Attempt != 2 || d.Headers["k"] != "v" || string(d.Body) != "x" {
		t.Errorf("it came back as %+v", d)
	}
	empties(t, second, "t")
}

func panicRedelivers(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	publish(t, q, "t", numbered(1)...)
	attempts := make(chan int, 100)
	consuming(t, q, "t", 1, func(_ context.Context, d job.Delivery) job.Verdict {
		attempts <- d.Attempt
		if d.Attempt == 1 {
			panic("a test's")
		}
		return job.Done()
	})
	for want := 1; want <= 2; want++ {
		if got := receive(t, attempts, "delivery"); got != want {
			t.Fatalf("attempt %d, want %d", got, want)
		}
	}
	empties(t, q, "t")
}

// closingGivesBack: what a client works on when it is closed is with others long before its lease would have ended.
func closingGivesBack(t *testing.T, x *exercise) {
	b := x.new(t, Settings{Lease: 10 * patience, MaxDeliveries: 3})
	first := b.Connect(t)
	publish(t, first, "t", numbered(1)...)
	receive(t, doomed(first, "t"), "delivery")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	got, _ := collecting(t, b.Connect(t), "t")
	if d := receive(t, got, "redelivery"); d.Attempt != 2 {
		t.Errorf("attempt %d, want 2", d.Attempt)
	}
}

// longWork takes several leases; another message, told to wait as long, is the clock.
func longWork(t *testing.T, x *exercise) {
	const lease = time.Second
	b := x.new(t, Settings{Lease: lease, MaxDeliveries: 3})
	q := b.Connect(t)
	passed := make(chan struct{})
	publish(t, q, "clock", numbered(1)...)
	consuming(t, q, "clock", 1, func(_ context.Context, d job.Delivery) job.Verdict {
		if d.Attempt == 1 {
			return job.Again(3 * lease)
		}
		close(passed)
		return job.Done()
	})
	attempts := make(chan int, 100)
	work := func(ctx context.Context, d job.Delivery) job.Verdict {
		attempts <- d.Attempt
		select {
		case <-passed:
		case <-ctx.Done():
			t.Error("the context of a handler that works ended")
		}
		return job.Done()
	}
	publish(t, q, "t", numbered(1)...)
	consuming(t, q, "t", 1, work)
	consuming(t, b.Connect(t), "t", 1, work)
	receive(t, passed, "end of the time")
	empties(t, q, "t")
	if n := len(attempts); n != 1 {
		t.Errorf("delivered %d times", n)
	}
}

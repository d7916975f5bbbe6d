package queuetest

import (
	"context"
	"sync/atomic"
	"testing"

	"calotype/services/image/internal/job"
)

func slotsBound(t *testing.T, x *exercise) {
	const slots, messages = 3, 20
	q := x.usual(t).Connect(t)
	publish(t, q, "t", numbered(messages)...)
	var running, most atomic.Int32
	began, finish := make(chan struct{}, messages), make(chan struct{}, messages)
	consuming(t, q, "t", slots, func(context.Context, job.Delivery) job.Verdict {
		now := running.Add(1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		began <- struct{}{}
		<-finish
		running.Add(-1)
		return job.Done()
	})
	for range slots {
		receive(t, began, "delivery for a free slot")
	}
	for range messages - slots {
		finish <- struct{}{}
		receive(t, began, "delivery for a slot that came free")
	}
	for range slots {
		finish <- struct{}{}
	}
	empties(t, q, "t")
	if most.Load() != slots {
		t.Errorf("%d ran at once, want %d", most.Load(), slots)
	}
}

func twoConsumersShare(t *testing.T, x *exercise) {
	b := x.usual(t)
	q := b.Connect(t)
	publish(t, q, "t", numbered(2)...)
	began, finish := make(chan string, 2), make(chan struct{})
	for range 2 {
		consuming(t, b.Connect(t), "t", 1, func(_ context.Context, d job.Delivery) job.Verdict {
			began <- d.ID
			<-finish
			return job.Done()
		})
	}
	if a, b := receive(t, began, "delivery"), receive(t, began, "delivery to the other"); a == b {
		t.Errorf("both got %s", a)
	}
	close(finish)
	empties(t, q, "t")
}

func drains(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	publish(t, q, "t", numbered(5)...)
	began, finish, told := make(chan struct{}, 5), make(chan struct{}), make(chan string, 10)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "kept"))
	ended := make(chan error, 1)
	go func() {
		err := q.Consume(ctx, "t", 2, func(ctx context.Context, _ job.Delivery) job.Verdict {
			began <- struct{}{}
			<-finish
			if ctx.Err() != nil {
				t.Error("draining ended a handler's context")
			}
			if ctx.Value(key{}) != "kept" {
				t.Error("a handler's context lacks what Consume's has")
			}
			told <- "handler"
			return job.Done()
		})
		told <- "Consume"
		ended <- err
	}()
	receive(t, began, "delivery")
	receive(t, began, "delivery")
	cancel()
	publish(t, q, "t", job.Message{ID: "late"})
	close(finish)
	if err := receive(t, ended, "end of Consume"); err != nil {
		t.Errorf("Consume: %v", err)
	}
	for i, want := range []string{"handler", "handler", "Consume"} {
		if got := <-told; got != want {
			t.Errorf("%d: %s ended, want %s", i, got, want)
		}
	}
	// Two are done for good, the others are there at once: prefetched messages were given back.
	got, _ := collecting(t, q, "t")
	for range 4 {
		receive(t, got, "delivery of what was left")
	}
	empties(t, q, "t")
	if n := len(got); n > 0 {
		t.Errorf("%d messages came twice", n)
	}
}

type key struct{}

func countsDepth(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	if d := depth(t, q, "t"); d != (job.Depth{}) {
		t.Errorf("a topic that nobody used holds %+v", d)
	}
	publish(t, q, "t", numbered(5)...)
	until(t, "five are ready, and grow older", func() bool {
		d := depth(t, q, "t")
		return d.Ready == 5 && d.Leased == 0 && d.Oldest > 0
	})
	finish := make(chan struct{})
	consuming(t, q, "t", 2, func(context.Context, job.Delivery) job.Verdict {
		<-finish
		return job.Done()
	})
	until(t, "two of five are leased", func() bool {
		d := depth(t, q, "t")
		return d.Ready == 3 && d.Leased == 2
	})
	close(finish)
	until(t, "none is left", func() bool {
		d := depth(t, q, "t")
		d.Consumers = 0
		return d == (job.Depth{})
	})
}

package queuetest

import (
	"context"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// together has all that is published in one call travel as one. Whoever consumes sees no difference.
type together struct{ Broker }

// Connect is Broker's.
func (b together) Connect(t *testing.T) Client { return bundler{b.Broker.Connect(t)} }

type bundler struct{ Client }

// Publish is job.Queue's.
func (b bundler) Publish(ctx context.Context, topic string, messages ...job.Message) error {
	all := make([]job.Message, len(messages))
	for i, m := range messages {
		m.Together = len(messages)
		all[i] = m
	}
	return b.Client.Publish(ctx, topic, all...)
}

// eachDecided: what is decided about one message is nothing to those that were published with it.
func eachDecided(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	publish(t, q, "t", numbered(6)...)
	attempts := make(chan job.Delivery, 100)
	stop := consuming(t, q, "t", 6, func(_ context.Context, d job.Delivery) job.Verdict {
		attempts <- d
		switch {
		case d.Attempt > 1:
		case d.ID == "m1":
			return job.Again(100 * time.Millisecond)
		case d.ID == "m2":
			return job.SetAside("it is the third")
		case d.ID == "m3":
			panic("a test's")
		}
		return job.Done()
	})
	dead, _ := collecting(t, q, "t.dead")
	if d := receive(t, dead, "dead letter"); d.ID != "m2" || string(d.Body) != "body 2" || d.Headers["dead-reason"] != "it is the third" {
		t.Errorf("set aside is %+v", d)
	}
	highest := map[string]int{}
	for range 8 {
		d := receive(t, attempts, "delivery")
		highest[d.ID] = max(highest[d.ID], d.Attempt)
	}
	empties(t, q, "t")
	stop()
	for id, want := range map[string]int{"m0": 1, "m1": 2, "m2": 1, "m3": 2, "m4": 1, "m5": 1} {
		if highest[id] != want {
			t.Errorf("%s came %d times, want %d", id, highest[id], want)
		}
	}
	if len(attempts)+len(dead) > 0 {
		t.Error("something came once more")
	}
}

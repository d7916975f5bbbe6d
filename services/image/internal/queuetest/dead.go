package queuetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

func setAside(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	publish(t, q, "t", job.Message{ID: "a", Headers: map[string]string{"k": "v"}, Body: []byte("x")})
	consuming(t, q, "t", 1, func(_ context.Context, d job.Delivery) job.Verdict {
		if d.Attempt == 1 {
			return job.Again(0)
		}
		return job.SetAside("it is cursed")
	})
	got, _ := collecting(t, q, "t.dead")
	d := receive(t, got, "dead letter")
	if d.ID != "a" || d.Headers["k"] != "v" || string(d.Body) != "x" || d.Attempt != 1 {
		t.Errorf("the dead letter is %+v", d)
	}
	if d.Headers["dead-reason"] != "it is cursed" {
		t.Errorf("its reason is %q", d.Headers["dead-reason"])
	}
	empties(t, q, "t")
	empties(t, q, "t.dead")
}

func deliveryLimit(t *testing.T, x *exercise) {
	const limit = 3
	b := x.new(t, Settings{Lease: 600 * time.Millisecond, MaxDeliveries: limit})
	q := b.Connect(t)
	publish(t, q, "t", job.Message{ID: "poison", Headers: map[string]string{"k": "v"}, Body: []byte("x")})
	for want := 1; want <= limit; want++ {
		victim := b.Connect(t)
		if d := receive(t, doomed(victim, "t"), "delivery"); d.ID != "poison" || d.Attempt != want {
			t.Fatalf("got %s, attempt %d; want attempt %d", d.ID, d.Attempt, want)
		}
		victim.Kill()
	}
	// Its neighbours go on.
	publish(t, q, "t", job.Message{ID: "healthy"})
	got, _ := collecting(t, q, "t")
	aside, _ := collecting(t, q, "t.dead")
	if d := receive(t, got, "healthy message"); d.ID != "healthy" {
		t.Errorf("%s was delivered once too often, as attempt %d", d.ID, d.Attempt)
	}
	d := receive(t, aside, "dead letter")
	if d.ID != "poison" || d.Headers["k"] != "v" || string(d.Body) != "x" || strings.TrimSpace(d.Headers["dead-reason"]) == "" {
		t.Errorf("the dead letter is %+v", d)
	}
	empties(t, q, "t")
	empties(t, q, "t.dead")
}

func deadLettersHaveNoLimit(t *testing.T, x *exercise) {
	b := x.new(t, Settings{Lease: 600 * time.Millisecond, MaxDeliveries: 1})
	q := b.Connect(t)
	publish(t, q, "t", numbered(1)...)
	consuming(t, q, "t", 1, func(context.Context, job.Delivery) job.Verdict { return job.SetAside("a test") })
	for range 3 {
		victim := b.Connect(t)
		receive(t, doomed(victim, "t.dead"), "dead letter")
		victim.Kill()
	}
	got, _ := collecting(t, q, "t.dead")
	if d := receive(t, got, "dead letter"); d.Attempt != 4 {
		t.Errorf("attempt %d, want 4", d.Attempt)
	}
	if d := depth(t, q, "t.dead.dead"); d.Ready != 0 {
		t.Error("a dead letter was set aside")
	}
}

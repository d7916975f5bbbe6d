package queuetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func delivers(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	sent := map[string]job.Message{
		"a": {ID: "a", Headers: map[string]string{"uber-trace-id": "1:2:3:1", "request-id": "r ü"}, Body: []byte{0, 1, 255, '"'}},
		"b": {ID: "b", Body: []byte("x")},
		"c": {ID: "c", Headers: map[string]string{"k": ""}, Body: make([]byte, 100_000)},
	}
	publish(t, q, "t", sent["a"], sent["b"])
	publish(t, q, "t", sent["c"])
	publish(t, q, "t")
	got, _ := collecting(t, q, "t")
	for range len(sent) {
		d := receive(t, got, "delivery")
		want, there := sent[d.ID]
		if !there {
			t.Fatalf("%q came twice or was never sent", d.ID)
		}
		delete(sent, d.ID)
		if d.Attempt != 1 {
			t.Errorf("%s: attempt %d, want 1", d.ID, d.Attempt)
		}
		for k, v := range want.Headers {
			if d.Headers[k] != v {
				t.Errorf("%s: header %s is %q, want %q", d.ID, k, d.Headers[k], v)
			}
		}
		if diff := cmp.Diff(want.Body, d.Body); diff != "" {
			t.Errorf("%s: %s", d.ID, diff)
		}
	}
	empties(t, q, "t")
}

func wakes(t *testing.T, x *exercise) {
	b := x.usual(t)
	got, _ := collecting(t, b.Connect(t), "t")
	mine := b.Connect(t)
	for _, m := range numbered(5) {
		publish(t, mine, "t", m)
		if d := receive(t, got, "delivery"); d.ID != m.ID {
			t.Errorf("got %s, want %s", d.ID, m.ID)
		}
	}
}

func keepsTopicsApart(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	publish(t, q, "t", job.Message{ID: "same", Body: []byte("t")})
	publish(t, q, "u", job.Message{ID: "same", Body: []byte("u")})
	for _, topic := range []string{"u", "t"} {
		got, stop := collecting(t, q, topic)
		if d := receive(t, got, "delivery"); string(d.Body) != topic {
			t.Errorf("topic %s delivered what was published to %s", topic, d.Body)
		}
		empties(t, q, topic)
		stop()
		if len(got) > 0 {
			t.Errorf("topic %s delivered more", topic)
		}
	}
}

func refusesNoID(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	err := q.Publish(context.Background(), "t", job.Message{ID: "a"}, job.Message{Body: []byte("x")})
	if err == nil || !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want an Invalid fault", err)
	}
	if d := depth(t, q, "t"); d.Ready != 0 {
		t.Errorf("%d messages of a refused call are queued", d.Ready)
	}
}

func refusesEnded(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := q.Publish(ended, "t", numbered(1)...); err == nil {
		t.Error("published after the context ended")
	}
	publish(t, q, "u", numbered(1)...)
	err := q.Consume(ended, "u", 1, func(context.Context, job.Delivery) job.Verdict {
		t.Error("delivered after the context ended")
		return job.Done()
	})
	if err != nil {
		t.Errorf("Consume: %v", err)
	}
	if d := depth(t, q, "u"); d.Ready != 1 {
		t.Errorf("%d messages are ready, want 1", d.Ready)
	}
}

func oneID(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	m := job.Message{ID: "same", Body: []byte("x")}
	publish(t, q, "t", m, m)
	publish(t, q, "t", m)
	running, finish := make(chan struct{}, 100), make(chan struct{})
	consuming(t, q, "t", 3, func(context.Context, job.Delivery) job.Verdict {
		running <- struct{}{}
		<-finish
		return job.Done()
	})
	receive(t, running, "delivery")
	publish(t, q, "t", m) // while it is worked on
	if d := depth(t, q, "t"); x.traits.Deduplicates && d != (job.Depth{Leased: 1}) {
		t.Errorf("published four times, there are %+v", d)
	}
	close(finish)
	empties(t, q, "t")
	if n := 1 + len(running); x.traits.Deduplicates && n != 1 {
		t.Errorf("delivered %d times", n)
	}
	for len(running) > 0 {
		<-running
	}
	// What is done may come again.
	publish(t, q, "t", m)
	receive(t, running, "delivery of what was published after its end")
	empties(t, q, "t")
}

func survivesReopening(t *testing.T, x *exercise) {
	b := x.usual(t)
	first := b.Connect(t)
	publish(t, first, "t", numbered(20)...)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	arrive(t, b.Connect(t), 20)
}

func survivesPublisher(t *testing.T, x *exercise) {
	b := x.usual(t)
	first := b.Connect(t)
	publish(t, first, "t", numbered(20)...)
	first.Kill()
	arrive(t, b.Connect(t), 20)
}

// arrive expects the first n numbered messages in topic "t".
func arrive(t *testing.T, q job.Queue, n int) {
	t.Helper()
	got, _ := collecting(t, q, "t")
	want := map[string]bool{}
	for _, m := range numbered(n) {
		want[m.ID] = true
	}
	for len(want) > 0 {
		delete(want, receive(t, got, "delivery").ID)
	}
	empties(t, q, "t")
}

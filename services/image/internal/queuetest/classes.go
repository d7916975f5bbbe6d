package queuetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// of makes n messages of a class.
func of(c job.Class, n int) []job.Message {
	out := make([]job.Message, n)
	for i := range out {
		out[i] = job.Message{Class: c, ID: fmt.Sprintf("%s-%d", c, i)}
	}
	return out
}

// labour is what a handler takes where brokers must have the time to hand over what is next.
func labour() { time.Sleep(4 * time.Millisecond) }

func classesShare(t *testing.T, x *exercise) {
	const each, looked = 60, 48
	q := x.usual(t).Connect(t)
	for _, c := range []job.Class{job.Bulk, job.Normal, job.Interactive} { // those with least weight came first
		publish(t, q, job.Tasks, of(c, each)...)
	}
	order := make(chan job.Class, 3*each)
	consuming(t, q, job.Tasks, 1, func(_ context.Context, d job.Delivery) job.Verdict {
		labour()
		order <- d.Class
		return job.Done()
	})
	counts := map[job.Class]int{}
	for n := 1; n <= 3*each; n++ {
		counts[receive(t, order, "delivery")]++
		if n == looked { // of which 32, 12 and 4 are due
			if counts[job.Interactive] < 24 || counts[job.Normal] < 6 || counts[job.Bulk] < 2 || counts[job.Normal] < counts[job.Bulk] {
				t.Errorf("of the first %d were %v", looked, counts)
			}
		}
	}
	for _, c := range job.Classes() {
		if counts[c] != each {
			t.Errorf("%d of %d came of %s", counts[c], each, c)
		}
	}
}

// noClassStarves: while more of the urgent is always there, the others come through.
func noClassStarves(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	publish(t, q, job.Tasks, of(job.Bulk, 3)...)
	publish(t, q, job.Tasks, of(job.Normal, 3)...)
	publish(t, q, job.Tasks, of(job.Interactive, 20)...)
	ended := make(chan struct{})
	others, urgent := 0, 0
	consuming(t, q, job.Tasks, 1, func(ctx context.Context, d job.Delivery) job.Verdict {
		labour()
		if d.Class != job.Interactive {
			if others++; others == 6 {
				close(ended)
			}
			return job.Done()
		}
		if urgent++; urgent > 2000 {
			return job.Done()
		}
		if err := q.Publish(ctx, job.Tasks, job.Message{Class: job.Interactive, ID: fmt.Sprint("more-", urgent)}); err != nil {
			t.Errorf("publishing: %v", err)
		}
		if urgent == 2000 {
			t.Error("2000 urgent messages came before six others")
		}
		return job.Done()
	})
	receive(t, ended, "delivery of the less urgent")
}

// keepsTheClass through a delay, a loss, and the dead letters.
func keepsTheClass(t *testing.T, x *exercise) {
	b := x.new(t, Settings{Lease: 600 * time.Millisecond, MaxDeliveries: 3})
	q, victim := b.Connect(t), b.Connect(t)
	publish(t, q, job.Tasks, of(job.Bulk, 1)...)
	receive(t, doomed(victim, job.Tasks), "delivery")
	victim.Kill()
	consuming(t, q, job.Tasks, 2, func(_ context.Context, d job.Delivery) job.Verdict {
		if d.Class != job.Bulk {
			t.Errorf("attempt %d is of class %q", d.Attempt, d.Class)
		}
		if d.Attempt == 2 {
			return job.Again(10 * time.Millisecond)
		}
		return job.SetAside("a test")
	})
	got, _ := collecting(t, q, job.DeadTasks)
	if d := receive(t, got, "dead letter"); d.Class != job.Bulk {
		t.Errorf("the dead letter is of class %q", d.Class)
	}
}

func countsClasses(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	publish(t, q, job.Tasks, of(job.Bulk, 3)...)
	publish(t, q, job.Tasks, of(job.Interactive, 2)...)
	publish(t, q, job.Tasks, job.Message{ID: "without"})
	for _, c := range []struct {
		asked []job.Class
		want  int
	}{
		{nil, 6}, {job.Classes(), 6}, {[]job.Class{job.Bulk}, 3}, {[]job.Class{job.Interactive}, 2}, {[]job.Class{job.Normal}, 1},
		{[]job.Class{job.Normal, job.Bulk}, 4},
	} {
		until(t, fmt.Sprintf("%v: %d are ready", c.asked, c.want), func() bool { return depth(t, q, job.Tasks, c.asked...).Ready == c.want })
	}
}

func refusesUnknownClass(t *testing.T, x *exercise) {
	q := x.usual(t).Connect(t)
	if err := q.Publish(context.Background(), job.Tasks, job.Message{ID: "a", Class: "urgent!"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want an Invalid fault", err)
	}
}

package queuetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// ledger writes down what consumers did.
type ledger struct {
	mu       sync.Mutex
	done     map[string]int
	attempts map[string]map[int]bool
	faults   []string
}

func (l *ledger) begin(d job.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempts[d.ID] == nil {
		l.attempts[d.ID] = map[int]bool{}
	}
	if d.Attempt < 1 || l.attempts[d.ID][d.Attempt] {
		l.faults = append(l.faults, fmt.Sprintf("%s began attempt %d twice", d.ID, d.Attempt))
	}
	l.attempts[d.ID][d.Attempt] = true
}

func (l *ledger) finish(d job.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[d.ID]++
}

func (l *ledger) finished() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.done)
}

// losesNothing: several clients publish and consume at once, some messages are put off, some handlers panic, and one client after
// the other is killed. Every message that was acknowledged is done in the end, and no attempt has a number twice.
func losesNothing(t *testing.T, x *exercise) {
	const producers, each, victims = 4, 75, 3
	b := x.new(t, Settings{Lease: 500 * time.Millisecond, MaxDeliveries: 20})
	l := &ledger{done: map[string]int{}, attempts: map[string]map[int]bool{}}
	handle := func(ctx context.Context, d job.Delivery) job.Verdict {
		l.begin(d)
		switch n := len(d.Body) % 10; {
		case n == 1 && d.Attempt == 1:
			return job.Again(10 * time.Millisecond)
		case n == 2 && d.Attempt == 1:
			panic("a test's")
		}
		if ctx.Err() == nil {
			l.finish(d)
		}
		return job.Done()
	}
	var publishing sync.WaitGroup
	for p := range producers {
		q := b.Connect(t)
		publishing.Go(func() {
			for i := range each {
				m := job.Message{ID: fmt.Sprintf("%d-%d", p, i), Body: make([]byte, i)}
				if err := q.Publish(context.Background(), "t", m); err != nil {
					t.Errorf("publishing: %v", err)
				}
			}
		})
	}
	for range 2 {
		consuming(t, b.Connect(t), "t", 4, handle)
	}
	for v := range victims {
		victim := b.Connect(t)
		busy := make(chan struct{}, 1000)
		go func() {
			_ = victim.Consume(context.Background(), "t", 4, func(ctx context.Context, d job.Delivery) job.Verdict {
				busy <- struct{}{}
				return handle(ctx, d)
			})
		}()
		select { // it may be too late to get any
		case <-busy:
		case <-time.After(time.Second):
			t.Logf("victim %d got nothing", v)
		}
		victim.Kill()
	}
	publishing.Wait()
	q := b.Connect(t)
	until(t, "all messages are done", func() bool { return l.finished() == producers*each })
	empties(t, q, "t")
	if d := depth(t, q, "t.dead"); d.Ready > 0 {
		t.Errorf("%d messages were set aside", d.Ready)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.faults {
		if x.traits.Deduplicates {
			t.Error(f)
		} else {
			t.Log(f) // a copy that a kill left behind
		}
	}
}

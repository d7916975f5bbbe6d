package worker

import (
	"context"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

func take(t *testing.T, s *slots, who side) func() {
	t.Helper()
	h, err := s.take(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return h.drop
}

// waits begins to take a slot and tells when it has it.
func waits(t *testing.T, s *slots, who side) <-chan func() {
	t.Helper()
	got := make(chan func(), 1)
	before := s.queued(who)
	go func() {
		if h, err := s.take(context.Background(), who); err == nil {
			got <- h.drop
		}
	}()
	eventually(t, "somebody waits", func() bool { return s.queued(who) > before })
	return got
}

func (s *slots) queued(who side) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue[who])
}

func TestSidesShareSlots(t *testing.T) {
	s := newSlots(2, 8, time.Minute, nil)
	a, b := take(t, s, jobs), take(t, s, jobs)
	third := waits(t, s, jobs)
	c := take(t, s, callers) // one more than slots, for who waits for an answer
	fourth := waits(t, s, callers)
	a()
	give := <-fourth // callers first
	select {
	case <-third:
		t.Fatal("three callers and jobs were full, and a job was let in")
	default:
	}
	c()
	(<-third)()
	give()
	b()
	if s.used != [sides]int{} {
		t.Errorf("%v are still in use", s.used)
	}
}

func TestCallersAreSentElsewhere(t *testing.T) {
	s := newSlots(1, 1, time.Minute, nil)
	give := take(t, s, callers)
	second := waits(t, s, callers)
	_, err := s.take(t.Context(), callers)
	if f := fault.As(err); f == nil || f.Kind != fault.Unavailable || f.Reason != "NODE_BUSY" || f.RetryAfter <= 0 {
		t.Errorf("the third was told %v", err)
	}
	give()
	(<-second)()
	s = newSlots(1, 1, time.Millisecond, nil)
	defer take(t, s, callers)()
	if _, err := s.take(t.Context(), callers); !fault.Is(err, fault.Unavailable) {
		t.Errorf("who waited too long was told %v", err)
	}
	if n := s.queued(callers); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestWhoLeavesTheQueueTakesNoSlot(t *testing.T) {
	s := newSlots(1, 8, time.Minute, nil)
	give := take(t, s, jobs)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := s.take(ctx, jobs); left <- err }()
	eventually(t, "it waits", func() bool { return s.queued(jobs) == 1 })
	cancel()
	if err := <-left; !fault.Is(err, fault.Canceled) {
		t.Errorf("got %v", err)
	}
	give()
	take(t, s, jobs)()
}

func TestSlotsUnderLoad(t *testing.T) {
	s := newSlots(2, 1000, time.Minute, nil)
	var mu sync.Mutex
	var now, most [sides]int
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			who := side(i % 2)
			h, err := s.take(context.Background(), who)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			now[who]++
			most[who] = max(most[who], now[who])
			if now[0]+now[1] > 3 {
				t.Errorf("%v at once", now)
			}
			mu.Unlock()
			mu.Lock()
			now[who]--
			mu.Unlock()
			h.drop()
		})
	}
	wg.Wait()
	if most[callers] > 2 || most[jobs] > 2 || s.used != [sides]int{} {
		t.Errorf("at most %v at once, %v left", most, s.used)
	}
}

// Work that does not notice the end of its time keeps its slot, and not its caller.
func TestStubbornWorkKeepsItsSlotOnly(t *testing.T) {
	b := newBench(t)
	end := make(chan struct{})
	b.render = func(context.Context, []recipe.Variant) ([]Rendered, error) { <-end; return nil, nil }
	w := b.worker(func(c *Config) { c.Slots, c.TransformTimeout, c.Patience = 1, time.Millisecond, time.Millisecond })
	_, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{thumb()}})
	if !fault.Is(err, fault.Deadline) || fault.ReasonOf(err) != "TRANSFORM_TIMEOUT" {
		t.Errorf("got %v", err)
	}
	if _, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{thumb()}}); fault.ReasonOf(err) != "NODE_BUSY" {
		t.Errorf("the slot was free: %v", err)
	}
	if _, err := w.Transformer.Inspect(t.Context(), digest); err != nil {
		t.Errorf("looking at a file waited behind it: %v", err)
	}
	close(end)
	eventually(t, "the slot is free", func() bool {
		w.Transformer.slots.mu.Lock()
		defer w.Transformer.slots.mu.Unlock()
		return w.Transformer.slots.used[callers] == 0
	})
}

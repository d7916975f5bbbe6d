package postgres

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
)

// What comes while a transaction is under way shares the next one; behind one that lasts, it begins beside it.
func testSlowLanes(t *testing.T, _ *Store) {
	first, held, others := make(chan struct{}), make(chan struct{}), make(chan []string, 3)
	l := newLanes(2, func(string) int { return 1 }, func(_ context.Context, together []string) error {
		if together[0] == "slow" {
			close(first)
			<-held
			return nil
		}
		others <- together
		return nil
	})
	var wg sync.WaitGroup
	write := func(w string) {
		wg.Go(func() {
			if err := l.write(t.Context(), w); err != nil {
				t.Errorf("%s: %v", w, err)
			}
		})
	}
	write("slow")
	<-first
	for range 3 {
		write("quick")
	}
	for n := 0; n < 3; {
		n += len(<-others) // though the first is not over
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	if err := l.write(left, "gone"); err == nil || !fault.Is(err, fault.Canceled) {
		t.Errorf("of a caller who left: %v", err)
	}
	close(held)
	wg.Wait()
	l.close()
	if l.running != 0 || l.slow != 0 || len(l.waiting) != 0 {
		t.Errorf("%d lanes are open, %d slow ones, %d writes wait", l.running, l.slow, len(l.waiting))
	}
	if err := l.write(t.Context(), "late"); err == nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("after closing: %v", err)
	}
}

// While much comes, the next transaction waits for more; after a little it does not. The end waits for neither.
func testPace(t *testing.T, _ *Store) {
	first, held := make(chan struct{}), make(chan struct{})
	l := newLanes(1, func(string) int { return 1 }, func(_ context.Context, together []string) error {
		if together[0] == "held" {
			close(first)
			<-held
		}
		return nil
	})
	l.pace = time.Hour
	for range 2 {
		if err := l.write(t.Context(), "alone"); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func(n int) {
		t.Helper()
		for have, began := -1, time.Now(); have != n; runtime.Gosched() {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%d writes wait, not %d", have, n)
			}
			l.mu.Lock()
			have = len(l.waiting)
			l.mu.Unlock()
		}
	}
	var all sync.WaitGroup
	write := func(what string, want error) {
		all.Go(func() {
			if err := l.write(t.Context(), what); (err == nil) != (want == nil) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		})
	}
	write("held", nil)
	<-first
	for range few {
		write("together", nil)
	}
	waiting(few)
	close(held)
	waiting(0)
	write("late", errClosed())
	waiting(1)
	l.close()
	all.Wait()
}

package flight

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.Tick(time.Millisecond); !ok(); <-tick {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestOneRunForAll(t *testing.T) {
	var g Group[string, int]
	var runs, shares atomic.Int64
	let := make(chan struct{})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			v, shared, err := g.Do(t.Context(), "key", func(context.Context) (int, error) {
				<-let
				return int(runs.Add(1)), nil
			})
			if v != 1 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
			if shared {
				shares.Add(1)
			}
		})
	}
	eventually(t, "all wait", func() bool { return g.Waiting("key") == 100 })
	close(let)
	all.Wait()
	if runs.Load() != 1 || shares.Load() != 99 {
		t.Errorf("%d runs, %d shared", runs.Load(), shares.Load())
	}
	if v, shared, _ := g.Do(t.Context(), "key", func(context.Context) (int, error) { return 7, nil }); v != 7 || shared {
		t.Error("what ended is shared still")
	}
}

// Those who leave hurt nobody until nobody is left, and then the work is stopped and the next caller has a run of its own.
func TestLeaving(t *testing.T) {
	var g Group[string, int]
	stopped := make(chan error, 1)
	work := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		stopped <- ctx.Err()
		return 0, errors.New("stopped")
	}
	var all sync.WaitGroup
	var leave []context.CancelFunc
	for i := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		leave = append(leave, cancel)
		all.Go(func() {
			if _, _, err := g.Do(ctx, "key", work); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		eventually(t, "it waits", func() bool { return g.Waiting("key") == i+1 })
	}
	for i, f := range leave {
		select {
		case <-stopped:
			t.Fatal("it was stopped while others waited")
		default:
		}
		f()
		eventually(t, "it leaves", func() bool { return g.Waiting("key") == 2-i })
	}
	all.Wait()
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("stopped by %v", err)
	}
	if v, shared, err := g.Do(t.Context(), "key", func(context.Context) (int, error) { return 1, nil }); v != 1 || shared || err != nil {
		t.Errorf("got %d, %v, %v", v, shared, err)
	}
}

// The work has as much time as the most patient caller, and who has more time than the first does not fail for its lack.
func TestDeadlines(t *testing.T) {
	var g Group[string, int]
	soon, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	later, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var runs atomic.Int64
	begun := make(chan struct{})
	work := func(ctx context.Context) (int, error) {
		end, _ := ctx.Deadline()
		if runs.Add(1) > 1 {
			return 2, nil
		}
		close(begun)
		<-time.After(time.Until(end)) // as a call does that was told of the deadline when it began
		if now, _ := ctx.Deadline(); !now.After(end) {
			t.Error("the deadline is that of the first still")
		}
		return 0, context.DeadlineExceeded
	}
	var first sync.WaitGroup
	first.Go(func() {
		if _, _, err := g.Do(soon, "key", work); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the first got %v", err)
		}
	})
	<-begun
	if v, _, err := g.Do(later, "key", work); v != 2 || err != nil {
		t.Errorf("the second got %d, %v", v, err)
	}
	first.Wait()
	// An error that has nothing to do with time is everybody's.
	runs.Store(0)
	let := make(chan struct{})
	own := errors.New("own")
	for range 2 {
		first.Go(func() {
			_, _, err := g.Do(later, "key", func(ctx context.Context) (int, error) {
				<-let
				runs.Add(1)
				return 0, own
			})
			if !errors.Is(err, own) {
				t.Errorf("got %v", err)
			}
		})
	}
	eventually(t, "both wait", func() bool { return g.Waiting("key") == 2 })
	close(let)
	first.Wait()
	if runs.Load() != 1 {
		t.Errorf("%d runs", runs.Load())
	}
}

func TestNobodyHasADeadline(t *testing.T) {
	var g Group[int, bool]
	type key struct{}
	endless, _, _ := g.Do(context.WithValue(t.Context(), key{}, 1), 1, func(ctx context.Context) (bool, error) {
		_, has := ctx.Deadline()
		return !has && ctx.Value(key{}) == 1, nil
	})
	if !endless {
		t.Error("it has a deadline, or lost its values")
	}
}

func TestPanicsGoOnInTheCaller(t *testing.T) {
	var g Group[int, bool]
	defer func() {
		if p := recover(); p != "oh" {
			t.Errorf("recovered %v", p)
		}
	}()
	_, _, _ = g.Do(t.Context(), 1, func(context.Context) (bool, error) { panic("oh") })
	t.Error("it went by")
}

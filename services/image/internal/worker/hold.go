package worker

import (
	"context"
	"time"

	"calotype/kit/fault"
)

// hold is a slot that somebody has, and the memory that was admitted for what is done in it.
type hold struct {
	slots *slots
	who   side

	// With the lock of slots.
	users  int // of the slot: its holder, and work that did not end in time
	weight int64
	state  state
	passed int           // how many were let in while it waited for memory
	turn   chan struct{} // closed when it need wait no longer
}

// state is what a hold has.
type state int

const (
	light    state = iota // a slot
	admitted              // a slot, and memory
	aside                 // neither: it waits for both
	left                  // neither, and it waits no more
)

// drop gives back what is held, once nobody uses it any longer.
func (h *hold) drop() {
	s := h.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.users--; h.users > 0 {
		return
	}
	if h.state == admitted {
		s.room.leave(h.weight)
	}
	if h.state == light || h.state == admitted {
		s.used[h.who]--
	}
	s.grant()
}

// admit waits until there is memory for what is to be done in the slot, which others may use meanwhile. It is called once, by who took the
// slot, while no work is done in it. Fails as take does.
func (h *hold) admit(ctx context.Context, weight int64) error {
	s := h.slots
	if !h.waits(weight) {
		return nil
	}
	err := s.await(ctx, h.who, h.turn, "the pictures that this node works on leave no memory for this one")
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.state == aside { // else the turn came at the same moment
		s.room.quit(h)
		s.grant()
	}
	return err
}

// waits asks for memory and reports whether to wait for it.
func (h *hold) waits(weight int64) bool {
	s := h.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	h.weight = weight
	if s.room.enter(h) {
		s.metrics.slots(s)
		return false
	}
	s.used[h.who]--
	s.grant()
	return true
}

// grace is how long work may take to notice that its time is up. What is inside a library then holds its slot, not its caller.
const grace = 250 * time.Millisecond

// within does work in a slot and under a time limit that begins with the slot.
func within[T any](ctx context.Context, s *slots, who side, limit time.Duration, work func(context.Context) (T, error)) (T, error) {
	h, err := s.take(ctx, who)
	if err != nil {
		var none T
		return none, err
	}
	defer h.drop()
	return in(ctx, h, limit, work)
}

// in does work in a slot that is held, and under a time limit.
func in[T any](ctx context.Context, h *hold, limit time.Duration, work func(context.Context) (T, error)) (T, error) {
	var none T
	limited, cancel := context.WithTimeout(ctx, limit)
	done := make(chan outcome[T], 1)
	h.use()
	h.slots.crew.Go(func() {
		defer h.drop()
		defer cancel()
		done <- try(limited, work)
	})
	select {
	case o := <-done:
		return o.result()
	case <-limited.Done():
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case o := <-done:
		return o.result()
	case <-t.C:
	}
	if ctx.Err() != nil {
		return none, ctx.Err()
	}
	return none, fault.New(fault.Deadline, "TRANSFORM_TIMEOUT", "the transformation took longer than %v", limit)
}

// use has the slot held until one more has dropped it.
func (h *hold) use() {
	h.slots.mu.Lock()
	defer h.slots.mu.Unlock()
	h.users++
}

type outcome[T any] struct {
	value    T
	err      error
	panicked any
}

func try[T any](ctx context.Context, work func(context.Context) (T, error)) (o outcome[T]) {
	defer func() { o.panicked = recover() }()
	o.value, o.err = work(ctx)
	return o
}

// result lets a panic go on in the caller, who stands under what deals with it.
func (o outcome[T]) result() (T, error) {
	if o.panicked != nil {
		panic(o.panicked)
	}
	return o.value, o.err
}

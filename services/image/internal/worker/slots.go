package worker

import (
	"context"
	"sync"
	"time"

	"calotype/kit/crew"
	"calotype/kit/fault"
)

// side is who wants a slot.
type side int

const (
	callers side = iota // somebody waits for the answer
	jobs
	sides
)

var sideNames = [sides]string{"callers", "jobs"}

// slots bounds what a node does at once. Each side may have so many, and both together one more: so neither keeps the other
// waiting for ever, and a caller hardly ever waits behind jobs.
type slots struct {
	each     int
	waiting  int
	patience time.Duration
	metrics  *Metrics
	crew     *crew.Crew

	mu    sync.Mutex
	used  [sides]int
	queue [sides][]chan struct{}
}

func newSlots(each, waiting int, patience time.Duration, m *Metrics) *slots {
	s := &slots{each: each, waiting: waiting, patience: patience, metrics: m, crew: crew.New()}
	m.slots(s)
	return s
}

// take waits for a slot. Callers fail with fault.Unavailable at once when too many wait already, and when it lasts too long; jobs
// wait as long as ctx.
func (s *slots) take(ctx context.Context, who side) (give func(), err error) {
	turn, err := s.enter(who)
	if err != nil {
		return nil, err
	}
	give = sync.OnceFunc(func() { s.give(who) })
	var late <-chan time.Time
	if who == callers {
		t := time.NewTimer(s.patience)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-turn:
		return give, nil
	case <-late:
		err = busy()
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !s.quit(who, turn) {
		give() // the turn came at the same moment
	}
	return nil, err
}

func busy() error {
	f := fault.New(fault.Unavailable, "NODE_BUSY", "every slot of this node is taken")
	f.RetryAfter = time.Second
	return f
}

func (s *slots) enter(who side) (chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := make(chan struct{})
	if who == callers && len(s.queue[who]) >= s.waiting && !s.free(who) {
		return nil, busy()
	}
	s.queue[who] = append(s.queue[who], turn)
	s.grant()
	return turn, nil
}

func (s *slots) free(who side) bool {
	return s.used[who] < s.each && s.used[callers]+s.used[jobs] <= s.each
}

// grant lets in who may, callers first. It is called with the lock.
func (s *slots) grant() {
	for who := range sides {
		for len(s.queue[who]) > 0 && s.free(who) {
			close(s.queue[who][0])
			s.queue[who] = s.queue[who][1:]
			s.used[who]++
		}
	}
	s.metrics.slots(s)
}

func (s *slots) give(who side) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[who]--
	s.grant()
}

// quit leaves the queue, and reports false when the turn had come.
func (s *slots) quit(who side, turn chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.queue[who] {
		if t == turn {
			s.queue[who] = append(s.queue[who][:i:i], s.queue[who][i+1:]...)
			s.metrics.slots(s)
			return true
		}
	}
	return false
}

// grace is how long work may take to notice that its time is up. What is inside a library then holds its slot, not its caller.
const grace = 250 * time.Millisecond

// within does work in a slot and under a time limit that begins with the slot.
func within[T any](ctx context.Context, s *slots, who side, limit time.Duration, work func(context.Context) (T, error)) (T, error) {
	var none T
	give, err := s.take(ctx, who)
	if err != nil {
		return none, err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	done := make(chan outcome[T], 1)
	s.crew.Go(func() {
		defer give()
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

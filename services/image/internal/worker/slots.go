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
// waiting for ever, and a caller hardly ever waits behind jobs. What takes much memory also waits until there is room for it, and lends
// its slot to others meanwhile.
type slots struct {
	each     int
	waiting  int
	patience time.Duration
	metrics  *Metrics
	crew     *crew.Crew

	mu    sync.Mutex
	used  [sides]int
	queue [sides][]chan struct{}
	room  room
}

func newSlots(each, waiting int, patience time.Duration, m *Metrics) *slots {
	s := &slots{each: each, waiting: waiting, patience: patience, metrics: m, crew: crew.New()}
	m.slots(s)
	return s
}

// take waits for a slot. Callers fail with fault.Unavailable at once when too many wait already, and when it lasts too long; jobs
// wait as long as ctx.
func (s *slots) take(ctx context.Context, who side) (*hold, error) {
	turn, err := s.enter(who)
	if err != nil {
		return nil, err
	}
	h := &hold{slots: s, who: who, users: 1}
	if err = s.await(ctx, who, turn, "every slot of this node is taken"); err == nil {
		return h, nil
	}
	if !s.quit(who, turn) {
		h.drop() // the turn came at the same moment
	}
	return nil, err
}

// await waits for a turn: callers for no longer than their patience.
func (s *slots) await(ctx context.Context, who side, turn <-chan struct{}, what string) error {
	var late <-chan time.Time
	if who == callers {
		t := time.NewTimer(s.patience)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-turn:
		return nil
	case <-late:
		return busy(what)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func busy(what string) error {
	f := fault.New(fault.Unavailable, "NODE_BUSY", "%s", what)
	f.RetryAfter = time.Second
	return f
}

func (s *slots) enter(who side) (chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := make(chan struct{})
	if who == callers && len(s.queue[who]) >= s.waiting && !s.free(who) {
		return nil, busy("every slot of this node is taken")
	}
	s.queue[who] = append(s.queue[who], turn)
	s.grant()
	return turn, nil
}

// free reports whether somebody may begin: not while many hold an original already and wait for memory.
func (s *slots) free(who side) bool { return s.open(who) && s.room.waiting[who] < s.each }

// open reports whether there is a slot.
func (s *slots) open(who side) bool {
	return s.used[who] < s.each && s.used[callers]+s.used[jobs] <= s.each
}

// grant lets in who may: first who has waited for memory, then callers. It is called with the lock.
func (s *slots) grant() {
	for _, h := range s.room.grant(s.open, func(who side) { s.used[who]++ }) {
		close(h.turn)
	}
	for who := range sides {
		for len(s.queue[who]) > 0 && s.free(who) {
			close(s.queue[who][0])
			s.queue[who] = s.queue[who][1:]
			s.used[who]++
		}
	}
	s.metrics.slots(s)
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

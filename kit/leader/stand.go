package leader

import (
	"context"
	"time"

	"calotype/kit/internal/pause"
)

// stand waits until this seat leads. False: ctx ended first.
//
// Why nobody else works then: a leader works only for a lease from when it sent a heartbeat that arrived, and never again once that
// has run out. Here a heartbeat was seen, later than it was sent; patience went by, which is longer than a lease; and what was
// asked for afresh after that is that same heartbeat. So none that arrived was sent later, and the lease of this one is over. What
// the leader got no answer to does not prolong it. A lock that is free, or a record that has gone, does not say that nobody works:
// somebody may have ended the session, and Consul may have lost its memory. Only a process that asks for the first time just after
// that takes an empty Consul for one that nobody led by yet; its fence, which is by the clock, is above the other's all the same.
func (s *seat) stand(ctx context.Context) (reign, bool) {
	var last beatOf  // the last heartbeat, or none
	var at time.Time // when it was seen first
	var patience time.Duration
	var index uint64
	var wait time.Duration
	for ctx.Err() == nil {
		asked := time.Now()
		v, err := s.cell.read(ctx, index, wait)
		if ctx.Err() != nil {
			break
		}
		if !s.heard(err) {
			index, s.looked = 0, true // who was away may have lost its memory
			pause.For(ctx, s.cfg.pause())
			continue
		}
		now := time.Now()
		if at.IsZero() || v.record.id() != last {
			last, at, patience = v.record.id(), now, v.record.patience(s.cfg.TTL)
			s.seen(v.record.Fence)
		}
		vacant := s.vacant(v)
		s.looked = true
		if !vacant {
			if left := patience - now.Sub(at); left > 0 {
				index, wait = v.index, left
				continue
			}
			if index > 0 || asked.Sub(at) < patience {
				index = 0
				continue
			}
		}
		if v.session != "" {
			if err := s.cell.evict(ctx, v.session); ctx.Err() == nil && !s.heard(err) {
				pause.For(ctx, s.cfg.pause())
			}
			index = 0
			continue
		}
		index = 0
		if r, ok := s.take(ctx, v); ok {
			return r, true
		}
		pause.For(ctx, s.cfg.pause()/20) // somebody else was quicker, or the lock delay is not over
	}
	return reign{}, false
}

// vacant reports whether nobody can be at work, however little time has gone by.
func (s *seat) vacant(v view) bool {
	if !v.there {
		return !s.looked // nobody ever led
	}
	return v.record.Released || v.record.Holder == s.holder // this seat's own work has ended, however its term did
}

func (s *seat) take(ctx context.Context, v view) (reign, bool) {
	start := time.Now()
	t := Term{Duty: s.duty, Node: s.process.Node, Fence: s.next(v.record.Fence), Since: start}
	r := record{Node: t.Node, Fence: t.Fence, Since: t.Since, Holder: s.holder, Beat: 1, TTL: s.cfg.TTL.String(), At: start}
	session, ok, err := s.cell.take(ctx, v, r)
	if err == nil && ok && time.Since(start) < s.cfg.lease() { // an answer that came later won what is over
		s.heard(nil)
		return reign{term: t, session: session, record: r, start: start}, true
	}
	if ctx.Err() == nil {
		s.heard(err)
	}
	if session != "" { // it may have the lock all the same: the record then tells that it is our own
		tidy, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.pause())
		defer cancel()
		_ = s.cell.evict(tidy, session) // it runs out by itself
	}
	return reign{}, false
}

package leader

import (
	"context"
	"errors"
	"time"

	"calotype/kit/internal/pause"
)

var (
	errLate  = errors.New("leader: no heartbeat arrived in time")
	errTaken = errors.New("leader: the lock is lost")
)

// serve runs work for a term: until it returns, and no longer than the lease is renewed. Work that was told to end for another reason is
// waited for with the duty in hand, so that nobody begins before it has ended.
func (s *seat) serve(ctx context.Context, r reign, work Work) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.enter(r.term)
	done := make(chan error, 1)
	go func() { done <- perform(working, r.term, work) }()

	// Consul is asked with a context of its own: the heart beats on while work that was told to end does so.
	beating, quiet := context.WithCancel(context.WithoutCancel(ctx))
	beats := make(chan pulse)
	go s.beat(beating, r, beats)
	err, why := s.keep(r, done, beats, func(why error) {
		stop(why)
		quiet()
		s.leave(r.term, why)
	})
	quiet()
	for b := range beats { // nothing is written after this term's end
		r.record.Beat = b.number
	}
	if why == nil {
		s.leave(r.term, nil)
		s.release(ctx, r)
	}
	return err
}

// keep waits for the end of the work; depose is called once, where the lease ends before, and why says so.
func (s *seat) keep(r reign, done <-chan error, beats <-chan pulse, depose func(why error)) (err, why error) {
	until := r.start.Add(s.cfg.lease())
	lease := time.NewTimer(time.Until(until))
	defer lease.Stop()
	for {
		select {
		case err := <-done:
			return err, why
		case b := <-beats:
			switch {
			case b.lost:
				why = errTaken
			case !time.Now().Before(until): // it comes too late, however well it went: who was frozen finds the timer and the answer ready
				why = errLate
			case s.heard(b.err):
				until = b.sent.Add(s.cfg.lease())
				lease.Reset(time.Until(until))
			}
		case <-lease.C:
			if why != nil {
				s.log.Error("work goes on although its term is over", "duty", s.duty, "fence", r.term.Fence)
				continue
			}
			why = errLate
		}
		if why != nil {
			depose(why)
			beats = nil
			lease.Reset(s.cfg.TTL)
		}
	}
}

// pulse is one heartbeat and what became of it.
type pulse struct {
	number int64
	sent   time.Time
	lost   bool
	err    error
}

// beat sends heartbeats until ctx ends, and closes beats.
func (s *seat) beat(ctx context.Context, r reign, beats chan<- pulse) {
	defer close(beats)
	wait := s.cfg.interval()
	for pause.For(ctx, wait) {
		r.record.Beat++
		b := pulse{number: r.record.Beat, sent: time.Now()}
		r.record.At = b.sent
		ok, err := s.cell.beat(ctx, r.session, r.record)
		b.lost, b.err = err == nil && !ok, err
		wait = s.cfg.interval()
		if err != nil {
			wait /= 4
		}
		select {
		case beats <- b:
		case <-ctx.Done():
			return
		}
	}
}

// release hands over. Where that fails, others wait until they have lost patience.
func (s *seat) release(ctx context.Context, r reign) {
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.lease())
	defer cancel()
	r.record.Released, r.record.At = true, time.Now()
	if err := s.cell.release(asking, r.session, r.record); err != nil {
		s.log.Warn("a duty could not be handed over; others wait until the heartbeats are missed", "duty", s.duty, "error", err)
	}
}

package rabbitmq

import (
	"context"
	"time"
)

// leave takes no more, hands back what has not begun, and waits for what has.
func (s *session) leave() {
	ctx, cancel := context.WithCancel(s.c.ctx)
	defer cancel()
	handed := make(chan struct{})
	go func() {
		defer close(handed)
		s.handBack(ctx)
	}()
	idle := make(chan struct{})
	go func() {
		s.c.tasks.Wait()
		close(idle)
	}()
	for handed != nil || idle != nil {
		select {
		case <-handed:
			handed = nil
		case <-idle:
			idle = nil
		case <-s.broke:
			s.end()
			cancel()
			if handed != nil {
				<-handed
			}
			return
		case <-s.c.q.ending:
			cancel()
			if handed != nil {
				<-handed
			}
			s.returnRunning()
			return
		}
	}
}

// handBack ends the subscriptions, and publishes what had not begun again: the end of the channel would count as a loss of each.
func (s *session) handBack(ctx context.Context) {
	for _, sub := range s.subs {
		s.stop(sub)
	}
	active := func() (n int) {
		for _, sub := range s.subs {
			if sub.active {
				n++
			}
		}
		return n
	}
	late := time.After(s.c.q.cfg.ConfirmTimeout)
	for active() > 0 || s.asking {
		select {
		case a := <-s.arrivals:
			s.subs[a.class].waits = append(s.subs[a.class].waits, s.takeApart(a)...)
			continue
		case class := <-s.ended:
			s.subs[class].active = false
			continue
		case <-s.moved:
			s.moves--
			continue
		case d := <-s.got:
			if s.asking = false; d != nil {
				t := s.take(*d, true)
				s.move(t, s.suspect(t.Message, t.counts), false)
			}
			continue
		case <-ctx.Done():
		case <-late:
		}
		break
	}
	for _, sub := range s.subs {
		for _, d := range sub.waits {
			if s.c.q.abandon {
				break
			}
			e := s.again(d.Message, d.counts, 0)
			if limited(s.c.topic) && d.counts.lost > 0 {
				e = s.suspect(d.Message, d.counts)
			}
			s.move(d, e, false)
		}
		sub.waits = nil
	}
	moved := make(chan struct{})
	go func() {
		s.moving.Wait()
		close(moved)
	}()
	for waiting := true; waiting; {
		select {
		case <-s.moved:
		case <-moved:
			waiting = false
		}
	}
	s.hold()
}

// giveBack is what Close does to a session: what runs is given to others, too.
func (s *session) giveBack() {
	for _, d := range s.c.those(s) {
		d.cancel()
	}
	if s.c.q.abandon {
		return
	}
	ctx, cancel := context.WithTimeout(s.c.ctx, s.c.q.cfg.ConfirmTimeout)
	defer cancel()
	go func() {
		select {
		case <-s.broke:
			s.end()
			cancel()
		case <-ctx.Done():
		}
	}()
	s.handBack(ctx)
	s.returnRunning()
}

// returnRunning gives back what handlers work on; it does not count as lost.
func (s *session) returnRunning() {
	if s.c.q.abandon {
		return
	}
	ctx, cancel := context.WithTimeout(s.c.ctx, s.c.q.cfg.ConfirmTimeout)
	defer cancel()
	for _, d := range s.c.those(s) {
		d.cancel()
		d.once.Do(func() {
			after := d.counts
			after.attempts = d.Attempt
			e := s.again(d.Message, after, 0)
			if limited(s.c.topic) && after.lost > 0 {
				e = s.suspect(d.Message, after)
			}
			d.move(ctx, e)
		})
	}
}

package rabbitmq

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A message that was lost before may have killed its consumer, or have been a neighbour of one that did. Its next deliveries are made
// alone: then only the guilty die of it. Such messages wait in a queue of their own, from which a consumer takes one when it holds nothing
// else: what is merely sent to a process that dies would count as lost, too.

// lookForSuspects asks how many there are.
func (s *session) lookForSuspects() {
	if !limited(s.c.topic) || s.looking || s.asking || s.alone {
		return
	}
	s.looking = true
	go func() {
		s.sideAsks.Lock()
		found, err := s.side.QueueDeclarePassive(s.c.q.suspects(s.c.topic), true, false, false, false, nil)
		s.sideAsks.Unlock()
		if err != nil {
			return // the channel is gone, and with it the session
		}
		s.looked <- found.Messages
	}()
}

// found decides whether to make room for a suspect: at once where nothing runs, else when none that has nothing to do took it meanwhile.
func (s *session) found(n int) {
	s.looking = false
	if n == 0 {
		s.seen = 0
		return
	}
	if s.seen++; s.seen > 1 || s.c.occupied() == 0 {
		s.yielding = true
	}
}

// calmness is how long nothing must have come before subscriptions are ended, so that nothing is under way.
const calmness = 10 * time.Millisecond

// yield begins nothing more. When nothing runs, it ends the subscriptions and hands back what waits here; when nothing is left here at all, it
// takes a suspect.
func (s *session) yield() {
	if s.c.occupied() > 0 {
		s.calm = time.Now()
		return
	}
	if time.Since(s.calm) < calmness {
		return // the loop ticks
	}
	active := false
	for _, sub := range s.subs {
		s.stop(sub)
		active = active || sub.active
	}
	if active {
		return
	}
	for _, sub := range s.subs {
		for _, d := range sub.waits {
			s.move(d, s.again(d.Message, d.counts, 0), false)
		}
		sub.waits = nil
	}
	if s.moves > 0 {
		return
	}
	for _, sub := range s.subs {
		if ch := sub.ch; ch != nil {
			go func() { _ = ch.Close() }()
			sub.ch = nil
		}
	}
	s.asking = true
	go func() {
		s.sideAsks.Lock()
		d, any, err := s.side.Get(s.c.q.suspects(s.c.topic), false)
		s.sideAsks.Unlock()
		switch {
		case err != nil: // as above
		case any:
			s.got <- &d
		default:
			s.got <- nil
		}
	}()
}

// suspectCame runs it alone, or goes back to the others when there is none left.
func (s *session) suspectCame(raw *amqp.Delivery) {
	s.asking = false
	s.calm = time.Time{}
	if raw == nil {
		s.yielding, s.seen = false, 0
		return
	}
	d := s.take(*raw, true)
	s.c.q.counts.lost.Add(1)
	if d.counts.lost >= s.c.q.cfg.MaxDeliveries {
		s.move(d, s.suspect(d.Message, d.counts), false)
		return
	}
	s.alone = true
	s.c.begin(d)
}

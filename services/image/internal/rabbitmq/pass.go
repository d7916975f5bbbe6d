package rabbitmq

import (
	"time"

	"calotype/services/image/internal/job"
)

const (
	// crowded is how long a message waits here for a slot before it is passed on to consumers that may have one.
	crowded = 50 * time.Millisecond
	// longest bounds that time, which doubles whenever a message is passed on.
	longest = 2 * time.Second
)

// passOn looks for messages that wait here, while all slots are taken, for longer than they should.
func (s *session) passOn() {
	if s.full.IsZero() || s.yielding || time.Since(s.full) < crowded {
		return
	}
	for class, sub := range s.subs {
		if sub.asked || !sub.active || len(sub.waits) == 0 || !sub.waits[0].overdue() {
			continue
		}
		sub.asked = true
		go func() {
			s.sideAsks.Lock()
			found, err := s.side.QueueDeclarePassive(s.c.q.ready(s.c.topic, class), true, false, false, false, nil)
			s.sideAsks.Unlock()
			if err != nil {
				return // the channel is gone, and with it the session
			}
			if found.Messages > 0 || found.Consumers < 2 {
				class = "" // others have enough to do, or there are none
			}
			select {
			case s.hungry <- class:
			case <-s.done:
			}
		}()
	}
}

// overdue reports whether the message has waited here for long enough.
func (d *delivery) overdue() bool {
	return time.Since(d.since) >= min(crowded<<min(d.counts.passed, 10), longest)
}

// share publishes again what waits here of a class, for whoever is next to get one: a consumer that has just given one back is last.
func (s *session) share(class job.Class) {
	if class == "" {
		for _, sub := range s.subs {
			if sub.asked {
				sub.asked = false
				for _, d := range sub.waits {
					d.since = time.Now() // and asks again after a while
				}
			}
		}
		return
	}
	sub := s.subs[class]
	sub.asked = false
	if s.full.IsZero() || s.yielding {
		return
	}
	var keep []*delivery
	for _, d := range sub.waits {
		if !d.overdue() {
			keep = append(keep, d)
			continue
		}
		after := d.counts
		after.passed++
		s.move(d, s.again(d.Message, after, 0), false)
	}
	sub.waits = keep
	s.hold()
}

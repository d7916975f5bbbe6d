package rabbitmq

import (
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// acks acknowledges the deliveries of a channel. Those that are done with at about the same time, and all before them, go in one
// acknowledgement, which costs the broker little more than one of a single delivery.
type acks struct {
	ch *amqp.Channel

	mu       sync.Mutex
	finished map[uint64]struct{} // by tag, from low on
	low      uint64              // every delivery below is finished
	next     *acknowledgement    // nil: nobody waits
	sending  bool
}

// acknowledgement is what goes together.
type acknowledgement struct {
	tags []uint64
	sent chan struct{} // closed when err is known
	err  error
}

func newAcks(ch *amqp.Channel) *acks {
	return &acks{ch: ch, finished: map[uint64]struct{}{}, low: 1}
}

// ack returns when the acknowledgement is on its way.
func (a *acks) ack(tag uint64) error {
	a.mu.Lock()
	if a.next == nil {
		a.next = &acknowledgement{sent: make(chan struct{})}
	}
	mine := a.next
	mine.tags = append(mine.tags, tag)
	if !a.sending {
		a.sending = true
		go a.send()
	}
	a.mu.Unlock()
	<-mine.sent
	return mine.err
}

func (a *acks) send() {
	for {
		a.mu.Lock()
		together := a.next
		if a.next = nil; together == nil {
			a.sending = false
			a.mu.Unlock()
			return
		}
		upTo, single := a.sort(together.tags)
		a.mu.Unlock()
		if upTo > 0 {
			together.err = a.ch.Ack(upTo, true)
		}
		for _, tag := range single {
			if together.err == nil {
				together.err = a.ch.Ack(tag, false)
			}
		}
		close(together.sent)
	}
}

// sort finds the last of some tags up to which every delivery is finished, and those that must go one by one: others before them are
// still worked on. The broker knows only what is not acknowledged yet, so the last tag must be one of them.
func (a *acks) sort(tags []uint64) (upTo uint64, single []uint64) {
	for _, tag := range tags {
		a.finished[tag] = struct{}{}
	}
	for {
		if _, done := a.finished[a.low]; !done {
			break
		}
		delete(a.finished, a.low)
		a.low++
	}
	slices.Sort(tags)
	for _, tag := range tags {
		if tag < a.low {
			upTo = tag
		} else {
			single = append(single, tag)
		}
	}
	return upTo, single
}

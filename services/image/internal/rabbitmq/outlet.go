package rabbitmq

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	underWay = 1024 // how many messages may wait for their confirmation on a channel
	patience = 3    // refusals in a row after which a channel is given up: see refused
)

// outlet is a channel in confirm mode.
type outlet struct {
	q       *Queue
	conn    *conn
	ch      *amqp.Channel
	room    chan struct{}
	refusal atomic.Int32 // in a row
	number  atomic.Uint64

	// What had no queue comes back before it is confirmed. The library puts it into returns, which has room for all that is under way.
	returns chan amqp.Return
	mu      sync.Mutex
	back    map[string]bool // by number
}

var (
	errRefused  = errors.New("the broker refused a message")
	errReturned = errors.New("the broker has no queue for a message")
	errSlow     = errors.New("the broker did not confirm a message in time")
	errBlocked  = errors.New("the broker takes no messages for now: it is short of memory or disk")
)

type sent struct {
	envelope
	number string
	answer *amqp.DeferredConfirmation
}

// publish gives back what is to be published again, and why.
func (o *outlet) publish(ctx context.Context, all []envelope) (again []envelope, why error) {
	waiting := make([]sent, 0, len(all))
	settle := func() {
		for _, s := range waiting {
			if err := o.await(ctx, s); err != nil {
				again, why = append(again, s.envelope), err
			}
			<-o.room
		}
		waiting = waiting[:0]
	}
	for i, e := range all {
		if err := o.enter(ctx, len(waiting), settle); err != nil {
			settle()
			return append(again, all[i:]...), err
		}
		s := sent{envelope: e, number: strconv.FormatUint(o.number.Add(1), 36)}
		s.message.CorrelationId = s.number
		var err error
		if s.answer, err = o.ch.PublishWithDeferredConfirmWithContext(ctx, e.exchange, e.key, true, false, s.message); err != nil {
			<-o.room
			settle()
			return append(again, all[i:]...), err
		}
		waiting = append(waiting, s)
	}
	settle()
	return again, why
}

// enter waits until the broker takes messages and there is room for one more; who holds all the room settles first.
func (o *outlet) enter(ctx context.Context, mine int, settle func()) error {
	if open := o.conn.barred(); open != nil {
		select {
		case <-open:
		case <-ctx.Done():
			return errBlocked
		}
	}
	select {
	case o.room <- struct{}{}:
		return nil
	default:
	}
	if mine > 0 {
		settle() // else two callers could wait for each other
	}
	select {
	case o.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await returns nil when the message is durable in a queue.
func (o *outlet) await(ctx context.Context, s sent) error {
	timer := time.NewTimer(o.q.cfg.ConfirmTimeout)
	defer timer.Stop()
	select {
	case <-s.answer.Done():
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		o.q.counts.nacked.Add(1)
		if o.conn.barred() != nil {
			return errBlocked
		}
		o.conn.abort() // another broker may know a leader that this one does not
		return errSlow
	}
	returned := o.returned(s.number)
	switch {
	case !s.answer.Acked():
		o.q.counts.nacked.Add(1)
		return o.refused()
	case returned:
		o.q.counts.returned.Add(1)
		o.q.topology.forget()
		return errReturned
	}
	o.refusal.Store(0)
	o.q.counts.confirmed.Add(1)
	return nil
}

// refused gives the channel up after some refusals in a row. A broker whose queue has lost its leader may refuse for ever what comes
// on the channel that it was told on.
func (o *outlet) refused() error {
	if o.refusal.Add(1) == patience {
		go func() { _ = o.ch.Close() }()
	}
	return errRefused
}

// returned reports whether the message came back.
func (o *outlet) returned(number string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		select {
		case r, open := <-o.returns:
			if open {
				o.back[r.CorrelationId] = true
				continue
			}
		default:
		}
		found := o.back[number]
		delete(o.back, number)
		return found
	}
}

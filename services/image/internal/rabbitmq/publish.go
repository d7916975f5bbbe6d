package rabbitmq

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// envelope is a message on its way to the broker.
type envelope struct {
	exchange, key string
	topic         string // whose queues must be there
	delayed       bool
	message       amqp.Publishing
}

// Publish returns nil when the broker has confirmed every message: it is on the disks of most nodes. A message that was not
// confirmed may be published twice.
func (q *Queue) Publish(ctx context.Context, topic string, messages ...job.Message) error {
	for i, m := range messages {
		if m.ID == "" {
			return fault.New(fault.Invalid, "NO_MESSAGE_ID", "message %d of %d has no ID", i+1, len(messages))
		}
		if !slices.Contains(job.Classes(), m.Class.OrNormal()) {
			return fault.New(fault.Invalid, "BAD_CLASS", "message %s is of a class that there is not: %q", m.ID, m.Class)
		}
	}
	out, now := make([]envelope, 0, len(messages)), time.Now()
	for _, b := range bundles(messages) {
		key := q.ready(topic, b[0].Class)
		q.loads.sent(key, len(b))
		out = append(out, envelope{key: key, topic: topic, message: together(b, now)})
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if closed(q.ending) {
		return errClosed()
	}
	return q.send(ctx, out...)
}

// send publishes until all is confirmed, for as long as Config.PublishTimeout.
func (q *Queue) send(ctx context.Context, pending ...envelope) error {
	ctx, cancel := context.WithTimeout(ctx, q.cfg.PublishTimeout)
	defer cancel()
	var err error
	for try := 0; len(pending) > 0; try++ {
		if try > 0 {
			q.wait(ctx, try-1)
		}
		if ctx.Err() != nil {
			return unavailable(ctx, errors.Join(ctx.Err(), err))
		}
		var o *outlet
		if err = q.topology.all(ctx, pending); err == nil {
			o, err = q.outlets.get(ctx)
		}
		if err == nil {
			pending, err = o.publish(ctx, pending)
		}
		if f := fault.As(err); f != nil && (f.Kind == fault.Conflict || f.Reason == "QUEUE_CLOSED") {
			return err
		}
	}
	return nil
}

// all makes sure that there is something to publish to.
func (t *topology) all(ctx context.Context, pending []envelope) error {
	for _, e := range pending {
		if err := t.ensure(ctx, e.topic); err != nil {
			return err
		}
		if e.delayed {
			if err := t.ensureDelays(ctx, e.topic); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait pauses between tries.
func (q *Queue) wait(ctx context.Context, tries int) {
	t := time.NewTimer(min(20*time.Millisecond<<min(tries, 6), time.Second))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-q.closing:
	case <-t.C:
	}
}

// outlets keeps one channel to publish on, for all callers.
type outlets struct {
	q    *Queue
	mu   sync.Mutex
	last *outlet
}

func (s *outlets) get(ctx context.Context) (*outlet, error) {
	c, err := s.q.publishing.get(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.conn == c && !s.last.ch.IsClosed() {
		return s.last, nil
	}
	ch, err := c.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, errors.Join(err, ch.Close())
	}
	o := &outlet{q: s.q, conn: c, ch: ch, room: make(chan struct{}, underWay), back: map[string]bool{}}
	o.returns = ch.NotifyReturn(make(chan amqp.Return, underWay))
	gone := ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		if e := <-gone; e != nil && e.Code == amqp.NotFound {
			s.q.topology.forget()
		}
	}()
	s.last = o
	return o, nil
}

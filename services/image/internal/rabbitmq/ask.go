package rabbitmq

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// asking keeps a channel for short conversations with the broker, for which a new one costs more than what is said on it.
type asking struct {
	mu   sync.Mutex
	conn *conn
	idle *amqp.Channel // of conn; nil while it is used
}

// withChannel runs a short conversation with the broker on a channel that nobody else uses meanwhile.
func (q *Queue) withChannel(ctx context.Context, do func(*amqp.Channel) error) error {
	ctx, cancel := context.WithTimeout(ctx, q.cfg.PublishTimeout)
	defer cancel()
	c, err := q.publishing.get(ctx)
	if err != nil {
		return unavailable(ctx, err)
	}
	ended := make(chan error, 1)
	go func() { // the library knows no contexts
		ch, err := q.asking.take(c)
		if err == nil {
			err = do(ch)
			q.asking.give(c, ch, err)
		}
		ended <- err
	}()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return unavailable(ctx, err)
}

func (a *asking) take(c *conn) (*amqp.Channel, error) {
	a.mu.Lock()
	ch := a.idle
	if a.idle = nil; a.conn != c {
		a.conn, ch = c, nil // what there was is gone with its connection
	}
	a.mu.Unlock()
	if ch != nil && !ch.IsClosed() {
		return ch, nil
	}
	return c.Channel()
}

// give keeps the channel for the next, unless there is one, or the broker has closed it over what was said.
func (a *asking) give(c *conn, ch *amqp.Channel, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.conn == c && a.idle == nil {
		a.idle = ch
		return
	}
	go func() { _ = ch.Close() }()
}

package bench

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// taskSize is about that of a task of Calotype's with one variant.
const taskSize = 300

var errNack = errors.New("the broker did not take a message")

// bareBroker publishes as quickly as a client can who waits for each confirm, and acknowledges all that comes.
func bareBroker(b *testing.B, url string, uses *backend) *contender {
	b.Helper()
	q := newQuorum(b, url, "bare", posters)
	channels := make(chan *amqp.Channel, posters)
	for range posters {
		channels <- q.confirming(b)
	}
	return &contender{posters: posters, batch: 1, posted: new(atomic.Int64), uses: []*backend{uses}, drained: q.took.reach, post: func(ctx context.Context) error {
		ch := <-channels
		defer func() { channels <- ch }()
		sent, err := q.publish(ctx, ch)
		if err != nil {
			return err
		}
		return confirmed(ctx, sent)
	}}
}

// pipelinedBroker has each of its publishers send a hundred before it waits.
func pipelinedBroker(b *testing.B, url string, uses *backend) *contender {
	b.Helper()
	q := newQuorum(b, url, "pipelined", 512)
	var mu sync.Mutex
	ch := q.confirming(b)
	return &contender{posters: batched, batch: batch, posted: new(atomic.Int64), uses: []*backend{uses}, drained: q.took.reach, post: func(ctx context.Context) error {
		var all []*amqp.DeferredConfirmation
		for range batch {
			mu.Lock()
			sent, err := q.publish(ctx, ch)
			mu.Unlock()
			if err != nil {
				return err
			}
			all = append(all, sent)
		}
		for _, sent := range all {
			if err := confirmed(ctx, sent); err != nil {
				return err
			}
		}
		return nil
	}}
}

func confirmed(ctx context.Context, sent *amqp.DeferredConfirmation) error {
	ok, err := sent.WaitContext(ctx)
	if err == nil && !ok {
		err = errNack
	}
	return err
}

// quorum is a quorum queue and its consumer.
type quorum struct {
	name string
	out  *amqp.Connection
	body []byte
	took *tally
}

func newQuorum(b *testing.B, url, name string, prefetch int) *quorum {
	b.Helper()
	q := &quorum{name: name, body: []byte(strings.Repeat("x", taskSize)), took: newTally()}
	connect := func() *amqp.Connection {
		conn, err := amqp.Dial(url)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	q.out = connect()
	ch, err := connect().Channel()
	if err != nil {
		b.Fatal(err)
	}
	_, err = ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	if err := errors.Join(err, ch.Qos(prefetch, 0, false)); err != nil {
		b.Fatal(err)
	}
	deliveries, err := ch.Consume(name, "", false, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for d := range deliveries {
			if d.Ack(false) != nil {
				return
			}
			q.took.add()
		}
	}()
	return q
}

func (q *quorum) confirming(b *testing.B) *amqp.Channel {
	b.Helper()
	ch, err := q.out.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		b.Fatal(err)
	}
	return ch
}

func (q *quorum) publish(ctx context.Context, ch *amqp.Channel) (*amqp.DeferredConfirmation, error) {
	return ch.PublishWithDeferredConfirmWithContext(ctx, "", q.name, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: q.body})
}

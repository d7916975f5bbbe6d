package rabbitmq

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// deliveryLimit is after how many lost deliveries the broker itself sets a message aside. It is the backstop for clients that die
// before they can count; Config.MaxDeliveries is below it. RabbitMQ 4 has the same limit by itself, and drops where 3 does not.
const deliveryLimit = 20

const deadSuffix = ".dead"

// Delays are made of steps of 1, 2, 4... units: a message waits in the steps that add up to its delay, one after the other.
const (
	unit  = 100 * time.Millisecond
	steps = 12 // 409.5 s in all; what is to wait longer comes back and waits again
)

// topology declares what is needed, once.
type topology struct {
	q        *Queue
	mu       sync.Mutex
	declared map[string]bool
}

func limited(topic string) bool { return !strings.HasSuffix(topic, deadSuffix) }

// classes are those that a topic keeps apart.
func classes(topic string) []job.Class {
	if topic == job.Tasks {
		return job.Classes()
	}
	return []job.Class{job.Normal}
}

// ready is the name of the queue that messages of a class wait in.
func (q *Queue) ready(topic string, c job.Class) string {
	if topic == job.Tasks {
		return q.cfg.Prefix + topic + "." + string(c.OrNormal())
	}
	return q.cfg.Prefix + topic
}

// suspects is the name of the queue for what was lost before.
func (q *Queue) suspects(topic string) string { return q.cfg.Prefix + topic + ".suspect" }

func (q *Queue) dead(topic string) string { return q.cfg.Prefix + topic + deadSuffix }

// lasting are the arguments of a queue that loses nothing when it dead-letters; the exchange and the key are where to.
func lasting(exchange, key string, limit int32) amqp.Table {
	args := amqp.Table{
		"x-queue-type": "quorum", "x-dead-letter-exchange": exchange, "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
	}
	if key != "" {
		args["x-dead-letter-routing-key"] = key
	}
	if limit > 0 {
		args["x-delivery-limit"] = limit
	}
	return args
}

// ensure declares the queues of a topic.
func (t *topology) ensure(ctx context.Context, topic string) error {
	return t.once(ctx, topic, func(ch *amqp.Channel) error {
		q := t.q
		aside := amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int32(math.MaxInt32)}
		if !limited(topic) {
			return declare(ch, q.cfg.Prefix+topic, aside)
		}
		if err := declare(ch, q.dead(topic), aside); err != nil {
			return err
		}
		for _, c := range classes(topic) {
			if err := declare(ch, q.ready(topic, c), lasting("", q.dead(topic), deliveryLimit)); err != nil {
				return err
			}
		}
		return declare(ch, q.suspects(topic), lasting("", q.dead(topic), deliveryLimit))
	})
}

// ensureDelays declares the steps of delays, and the way from them back to the queues of a topic.
//
// A message's key is one word for each step, the longest first, and then the name of its queue: "0.1.1.name". The exchange of a step sends it
// into the step's queue where its word is 1, and on to the next exchange where it is 0; the queue dead-letters to that one, too.
func (t *topology) ensureDelays(ctx context.Context, topic string) error {
	q := t.q
	err := t.once(ctx, "delays", func(ch *amqp.Channel) error {
		if err := exchange(ch, q.step(-1)); err != nil {
			return err
		}
		for n := range steps {
			words := strings.Repeat("*.", steps-1-n)
			if err := exchange(ch, q.step(n)); err != nil {
				return err
			}
			args := lasting(q.step(n-1), "", 0)
			args["x-message-ttl"] = int64(unit/time.Millisecond) << n
			args["x-delivery-limit"] = int32(math.MaxInt32)
			if err := declare(ch, q.step(n), args); err != nil {
				return err
			}
			if err := ch.QueueBind(q.step(n), words+"1.#", q.step(n), false, nil); err != nil {
				return err
			}
			if err := ch.ExchangeBind(q.step(n-1), words+"0.#", q.step(n), false, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.once(ctx, "delays of "+topic, func(ch *amqp.Channel) error {
		for _, c := range classes(topic) {
			if err := ch.QueueBind(q.ready(topic, c), strings.Repeat("*.", steps)+q.ready(topic, c), q.step(-1), false, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// step names the exchange and the queue of a step; -1 is the way out.
func (q *Queue) step(n int) string {
	if n < 0 {
		return q.cfg.Prefix + "delayed"
	}
	return q.cfg.Prefix + "delay." + strconv.Itoa(n)
}

// delay gives the exchange and the key by which a message waits, at most as long as all steps together, and rounded up to units.
func (q *Queue) delay(name string, after time.Duration) (exchange, key string) {
	units := min(int((after+unit-1)/unit), 1<<steps-1)
	var b strings.Builder
	for n := steps - 1; n >= 0; n-- {
		b.WriteString(strconv.Itoa(units>>n&1) + ".")
	}
	return q.step(steps - 1), b.String() + name
}

// once runs what is not done yet. Doing it twice does no harm.
func (t *topology) once(ctx context.Context, what string, do func(*amqp.Channel) error) error {
	t.mu.Lock()
	known := t.declared[what]
	t.mu.Unlock()
	if known {
		return nil
	}
	if err := t.q.withChannel(ctx, do); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.declared == nil {
		t.declared = map[string]bool{}
	}
	t.declared[what] = true
	return nil
}

// forget has everything declared anew when it is needed next: something that was there is gone.
func (t *topology) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.declared)
}

func declare(ch *amqp.Channel, name string, args amqp.Table) error {
	_, err := ch.QueueDeclare(name, true, false, false, false, args)
	return conflict(err, "queue", name)
}

func exchange(ch *amqp.Channel, name string) error {
	return conflict(ch.ExchangeDeclare(name, amqp.ExchangeTopic, true, false, false, false, nil), "exchange", name)
}

// conflict explains what the broker refuses because it has something else under that name; the broker's own words say in which argument.
func conflict(err error, what, name string) error {
	var refused *amqp.Error
	if !errors.As(err, &refused) || refused.Code != amqp.PreconditionFailed {
		return err
	}
	return fault.New(fault.Conflict, "QUEUE_TOPOLOGY", "the %s %q is there already, but otherwise than Calotype needs it (%s). "+
		"Empty and delete it, take away the policy that changes it, or set queue.rabbitmq.prefix to have queues of another name", what, name, refused.Reason)
}

// unavailable is what a caller is told when no broker does what is asked.
func unavailable(ctx context.Context, err error) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	if e := ctx.Err(); e != nil && errors.Is(e, context.Canceled) {
		return e
	}
	return fault.Wrap(err, fault.Unavailable, "QUEUE_UNAVAILABLE", "the message broker does not answer")
}

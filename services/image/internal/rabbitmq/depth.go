package rabbitmq

import (
	"context"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/services/image/internal/job"
)

// Depth counts what waits for a consumer. What a broker tells without its management plugin is less than all: messages that wait for
// their time are not counted, Leased is what this process holds, and Ready (see loads) and Oldest (see ages) are estimates.
func (q *Queue) Depth(ctx context.Context, topic string, asked ...job.Class) (job.Depth, error) {
	if closed(q.ending) {
		return job.Depth{}, errClosed()
	}
	if err := q.topology.ensure(ctx, topic); err != nil {
		return job.Depth{}, err
	}
	d := q.here(topic, asked)
	err := q.withChannel(ctx, func(ch *amqp.Channel) error {
		for _, c := range classes(topic) {
			if len(asked) > 0 && !slices.Contains(asked, c) {
				continue
			}
			found, err := ch.QueueDeclarePassive(q.ready(topic, c), true, false, false, false, nil)
			if err != nil {
				return err
			}
			d.Ready += q.loads.in(found.Name, found.Messages)
			d.Consumers = max(d.Consumers, found.Consumers)
			d.Oldest = max(d.Oldest, q.ages.of(topic, c, found.Messages))
		}
		if len(asked) > 0 || !limited(topic) {
			return nil
		}
		found, err := ch.QueueDeclarePassive(q.suspects(topic), true, false, false, false, nil)
		d.Ready += found.Messages
		if found.Messages > 0 {
			d.Oldest = max(d.Oldest, time.Millisecond)
		}
		return err
	})
	if err != nil {
		q.topology.forget() // something may be gone
		return job.Depth{}, err
	}
	return d, nil
}

// here counts what this process's consumers of a topic hold.
func (q *Queue) here(topic string, asked []job.Class) (n job.Depth) {
	q.mu.Lock()
	defer q.mu.Unlock()
	any := func(c job.Class) bool { return len(asked) == 0 || slices.Contains(asked, c) }
	for c := range q.consumers {
		if c.topic != topic {
			continue
		}
		c.mu.Lock()
		for class, held := range c.held {
			if any(class) {
				n.Ready += held
			}
		}
		for d := range c.running {
			if d.ctx.Err() == nil && any(d.Class) {
				n.Leased++
			}
		}
		c.mu.Unlock()
	}
	return n
}

// ages estimates how long the first of a queue has waited, which the broker does not tell: since the time at which the message was
// published that this process had from it last, when it consumes; else since this process saw the queue empty.
type ages struct {
	mu     sync.Mutex
	filled map[string]time.Time // since when it has not been seen empty
	last   map[string]time.Time // when what came last was published
}

func (a *ages) saw(topic string, c job.Class, published time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.last = map[string]time.Time{}
	}
	a.last[topic+"."+string(c)] = published
}

func (a *ages) of(topic string, c job.Class, ready int) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	name, now := topic+"."+string(c), time.Now()
	if a.filled == nil {
		a.filled = map[string]time.Time{}
	}
	since, known := a.filled[name]
	switch {
	case ready == 0:
		delete(a.filled, name)
		return 0
	case !known:
		since = now
		a.filled[name] = now
	}
	if last := a.last[name]; last.After(since) {
		since = last
	}
	return max(now.Sub(since), time.Millisecond)
}

// Package rabbitmq is the job queue on RabbitMQ, 3.10 and later: quorum queues, one for each class of tasks, that confirm what they
// take, and of which messages are taken by hand. It knows nothing of what messages mean.
package rabbitmq

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strconv"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Queue is a job.Queue on one cluster of brokers. It connects when it must, and again when a connection breaks.
type Queue struct {
	cfg    Config
	log    *slog.Logger
	tls    *tls.Config
	places []string // host:port of the URLs, to be shown
	counts counts

	publishing, consuming link
	topology              topology
	outlets               outlets
	asking                asking
	ages                  ages
	loads                 loads

	ending  chan struct{} // closed by Close: no message is taken any more
	closing chan struct{} // closed when the consumers have given back what they held: no connection is used any more
	once    sync.Once
	abandon bool // Close gives nothing back, as a process does that is killed

	mu        sync.Mutex
	consumers map[*consumer]struct{}
	sessions  sync.WaitGroup
}

var _ job.Queue = (*Queue)(nil)

// Open prepares a queue, and declares what the topics need while a broker answers; otherwise that is done when it is first needed.
// Fails with fault.Conflict, reason QUEUE_TOPOLOGY, when a broker has something else under one of the names.
func Open(ctx context.Context, cfg Config, log *slog.Logger, topics ...string) (*Queue, error) {
	if fields := cfg.Validate(); len(fields) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the connection to RabbitMQ is configured wrongly", Fields: fields}
	}
	secure, err := cfg.TLS.load()
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "BAD_CONFIG", "TLS for RabbitMQ is configured wrongly")
	}
	q := &Queue{
		cfg: cfg, log: log, tls: secure, consumers: map[*consumer]struct{}{},
		ending: make(chan struct{}), closing: make(chan struct{}),
	}
	q.publishing = link{q: q, purpose: "publishing"}
	q.consuming = link{q: q, purpose: "consuming"}
	q.outlets.q, q.topology.q = q, q
	for _, u := range cfg.URLs {
		uri, err := amqp.ParseURI(u)
		if err != nil {
			return nil, err // cannot be: it is valid
		}
		q.places = append(q.places, net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)))
	}
	for _, topic := range topics {
		if err = q.topology.ensure(ctx, topic); err == nil {
			err = q.topology.ensureDelays(ctx, topic)
		}
		if fault.Is(err, fault.Conflict) {
			_ = q.Close()
			return nil, err
		}
		if err != nil {
			log.Warn("the queues cannot be declared yet; work goes on when a broker answers", "error", err)
			break
		}
	}
	return q, nil
}

// Close ends what is running: handlers' contexts end, their messages are given back at once and what they decide is ignored.
// Consume returns, with an error, when the last handler has. For an orderly end, end Consume's context first and wait.
func (q *Queue) Close() error {
	q.once.Do(func() {
		q.mu.Lock()
		close(q.ending)
		q.mu.Unlock()
		if !q.abandon {
			q.sessions.Wait()
		}
		close(q.closing)
		q.publishing.end(q.abandon)
		q.consuming.end(q.abandon)
	})
	return nil
}

// enter lists a consumer, unless the queue is closed.
func (q *Queue) enter(c *consumer) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if closed(q.ending) {
		return errClosed()
	}
	q.consumers[c] = struct{}{}
	q.sessions.Add(1)
	return nil
}

func (q *Queue) leave(c *consumer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.consumers, c)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// errClosed is what every operation ends with after Close.
func errClosed() error { return fault.New(fault.Unavailable, "QUEUE_CLOSED", "the queue is closed") }

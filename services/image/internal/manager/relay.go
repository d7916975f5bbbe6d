package manager

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"calotype/services/image/internal/job"
)

const (
	relayBatch = 100
	relayPoll  = time.Second // how soon messages are found that a manager left behind
	relayPause = 100 * time.Millisecond
	relayRest  = 10 * time.Second // the longest pause while the queue is away
)

// Relay brings messages from the outbox to the queue. Several may run on one store.
type Relay struct {
	outbox job.Outbox
	queue  job.Queue
	log    *slog.Logger
	wake   chan struct{}
}

func newRelay(outbox job.Outbox, queue job.Queue, log *slog.Logger) *Relay {
	return &Relay{outbox: outbox, queue: queue, log: log, wake: make(chan struct{}, 1)}
}

// Wake tells that something was put into the outbox. It never waits.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run relays until ctx ends. While the queue is away it tries again, ever more slowly; what waits is durable.
func (r *Relay) Run(ctx context.Context) error {
	failures := 0
	for {
		n, err := r.round(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if failures++; failures == 1 {
				r.log.WarnContext(ctx, "the queue does not take messages; they wait in the outbox", "error", err)
			}
			if !pause(ctx, backoff(failures, relayPause, relayRest)) {
				return nil
			}
			continue
		case failures > 0:
			r.log.InfoContext(ctx, "the queue takes messages again", "failures", failures)
			failures = 0
		}
		if n > 0 {
			continue
		}
		select {
		case <-r.wake:
		case <-time.After(relayPoll):
		case <-ctx.Done():
			return nil
		}
	}
}

// round relays a batch of each class and returns how many messages went.
func (r *Relay) round(ctx context.Context) (n int, _ error) {
	for _, class := range job.Classes() {
		some, err := r.outbox.Relay(ctx, class, relayBatch, r.publish)
		n += some
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (r *Relay) publish(ctx context.Context, messages []job.Outgoing) error {
	topics := map[string][]job.Message{}
	for _, m := range messages {
		topics[m.Topic] = append(topics[m.Topic], m.Message)
	}
	for topic, ms := range topics {
		if err := r.queue.Publish(ctx, topic, ms...); err != nil {
			return err
		}
	}
	return nil
}

// backoff doubles from least to most with each failure in a row, and spreads by half, so that many who wait do not come at once.
func backoff(failures int, least, most time.Duration) time.Duration {
	d := most
	if failures < 16 {
		d = min(most, least<<(failures-1))
	}
	return d/2 + rand.N(d/2+1)
}

// pause reports whether ctx lasted that long.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

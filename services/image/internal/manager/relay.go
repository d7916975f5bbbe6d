package manager

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

const (
	relayBatch = 256
	relayPoll  = time.Second           // how soon messages are found that a manager left behind
	relayFull  = 50 * time.Millisecond // how soon a queue that is full is looked at again
	relayPause = 100 * time.Millisecond
	relayRest  = 10 * time.Second // the longest pause while the queue is away
)

// Relay brings messages from the outbox to the queue, no more of each class than the queue has a use for. Several may run on one
// store.
type Relay struct {
	outbox  job.Outbox
	queue   job.Queue
	backlog *backlog
	counts  *Counts
	log     *slog.Logger
	wakes   []chan struct{} // one a class
}

func newRelay(outbox job.Outbox, queue job.Queue, backlog *backlog, counts *Counts, log *slog.Logger) *Relay {
	r := &Relay{outbox: outbox, queue: queue, backlog: backlog, counts: counts, log: log}
	for range job.Classes() {
		r.wakes = append(r.wakes, make(chan struct{}, 1))
	}
	return r
}

// Wake tells that something of some classes was put into the outbox, of any with none named. It never waits.
func (r *Relay) Wake(classes ...job.Class) {
	for i, wake := range r.wakes {
		if len(classes) > 0 && !slices.Contains(classes, job.Classes()[i]) {
			continue // looking in vain costs a transaction
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// Run relays until ctx ends. While the queue is away it tries again, ever more slowly; what waits is durable.
func (r *Relay) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for i, class := range job.Classes() {
		wg.Go(func() { r.run(ctx, &lane{class: class, queue: r.queue, now: time.Now}, r.wakes[i]) })
	}
	wg.Go(func() {
		for {
			r.backlog.look(ctx)
			if !pause(ctx, relayPoll) {
				return
			}
		}
	})
	wg.Wait()
	return nil
}

func (r *Relay) run(ctx context.Context, l *lane, wake <-chan struct{}) {
	failures := 0
	for {
		full, more, err := r.round(ctx, l)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failures++; failures == 1 {
				r.log.WarnContext(ctx, "the queue does not take messages; they wait in the outbox", "class", string(l.class), "error", err)
			}
			if !pause(ctx, backoff(failures, relayPause, relayRest)) {
				return
			}
			continue
		case failures > 0:
			r.log.InfoContext(ctx, "the queue takes messages again", "class", string(l.class), "failures", failures)
			failures = 0
		}
		if more {
			continue
		}
		if full {
			if !pause(ctx, relayFull) {
				return
			}
			continue
		}
		select {
		case <-wake:
		case <-time.After(relayPoll):
		case <-ctx.Done():
			return
		}
	}
}

// round relays a batch. It tells whether the queue is full, and whether more may wait.
func (r *Relay) round(ctx context.Context, l *lane) (full, more bool, _ error) {
	space, err := l.space(ctx)
	if err != nil || space == 0 {
		r.counts.relay(l.class, 0, err)
		return true, false, err
	}
	limit := min(space, relayBatch)
	n, err := r.outbox.Relay(ctx, l.class, limit, func(ctx context.Context, messages []job.Outgoing) error {
		return r.publish(ctx, messages, l.together())
	})
	l.gave(n)
	if err == nil { // else they may be in the queue and in the outbox
		r.backlog.free(n)
	}
	r.counts.relay(l.class, n, err)
	return false, n == limit, err
}

func (r *Relay) publish(ctx context.Context, messages []job.Outgoing, together int) error {
	topics := map[string][]job.Message{}
	for _, m := range messages {
		m.Together = together
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

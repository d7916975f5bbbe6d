package chaos

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"calotype/test/caller"
	"calotype/test/chaos/internal/ledger"
)

// loader uploads pictures and asks for a job on each, at a steady rate whatever the answers (an open loop).
type loader struct {
	*caller.Caller
	query    url.Values
	pictures [][]byte
	ledger   *ledger.Ledger
	done     sync.WaitGroup
}

// callerPatience is how long a caller tries to have an upload acknowledged.
const callerPatience = 60 * time.Second

// run begins an upload at every beat until ctx ends, and returns when all have come to an end.
func (l *loader) run(ctx context.Context, beat time.Duration) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			l.done.Go(func() { l.upload(&ledger.Entry{Key: fmt.Sprintf("chaos-%d", n), Picture: n % len(l.pictures)}) })
		case <-ctx.Done():
			l.done.Wait()
			return
		}
	}
}

// upload tries until it is acknowledged, under one idempotency key.
func (l *loader) upload(e *ledger.Entry) {
	ctx, cancel := context.WithTimeout(context.Background(), callerPatience)
	defer cancel()
	began := time.Now()
	for {
		err := l.once(ctx, e, began)
		if err == nil {
			return
		}
		select {
		case <-time.After(250 * time.Millisecond): // a caller's pause before the next try
		case <-ctx.Done():
			l.ledger.GiveUp(fmt.Errorf("%s: %w", e.Key, err))
			return
		}
	}
}

func (l *loader) once(ctx context.Context, e *ledger.Entry, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	a, err := l.Upload(ctx, e.Key, l.query, l.pictures[e.Picture])
	e.Took = time.Since(began)
	return l.ledger.Take(e, a, err)
}

package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
)

// entry is what a caller knows of one upload.
type entry struct {
	key     string // of idempotency
	picture int
	tries   int
	took    time.Duration // until it was acknowledged
	image   string
	job     string
}

// ledger keeps what was acknowledged.
type ledger struct {
	mu       sync.Mutex
	acked    []*entry
	lost     []error // uploads that nobody acknowledged in time: allowed, and told
	refusals int     // answers other than 201 on the way
}

// loader uploads pictures and asks for a job on each, at a steady rate whatever the answers (an open loop).
type loader struct {
	base     string
	query    url.Values
	pictures [][]byte
	ledger   *ledger
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
			l.done.Go(func() { l.upload(&entry{key: fmt.Sprintf("chaos-%d", n), picture: n % len(l.pictures)}) })
		case <-ctx.Done():
			l.done.Wait()
			return
		}
	}
}

// upload tries until it is acknowledged, under one idempotency key.
func (l *loader) upload(e *entry) {
	ctx, cancel := context.WithTimeout(context.Background(), callerPatience)
	defer cancel()
	began := time.Now()
	for {
		e.tries++
		err := l.once(ctx, e)
		l.ledger.mu.Lock()
		if err == nil {
			e.took = time.Since(began)
			l.ledger.acked = append(l.ledger.acked, e)
			l.ledger.mu.Unlock()
			return
		}
		l.ledger.refusals++
		if ctx.Err() != nil {
			l.ledger.lost = append(l.ledger.lost, fmt.Errorf("%s: %w", e.key, err))
			l.ledger.mu.Unlock()
			return
		}
		l.ledger.mu.Unlock()
		select {
		case <-time.After(250 * time.Millisecond): // a caller's pause before the next try
		case <-ctx.Done():
		}
	}
}

func (l *loader) once(ctx context.Context, e *entry) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	header := http.Header{"Content-Type": {"application/octet-stream"}, "Idempotency-Key": {e.key}}
	a, err := send(ctx, http.MethodPost, l.base+"/v1/images?"+l.query.Encode(), header, bytes.NewReader(l.pictures[e.picture]))
	if err != nil {
		return err
	}
	if a.status != http.StatusCreated {
		return fmt.Errorf("%d: %s", a.status, a.body)
	}
	made := &imagev1.CreateImageResponse{}
	if err := protojson.Unmarshal(a.body, made); err != nil {
		return err
	}
	if made.GetJob() == nil {
		return errors.New("it was acknowledged without its job")
	}
	e.image, e.job = made.GetImage().GetId(), made.GetJob().GetId()
	return nil
}

// quantile of how long callers waited for the acknowledgement.
func (l *ledger) quantile(q float64) time.Duration {
	var took []time.Duration
	for _, e := range l.acked {
		took = append(took, e.took)
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[int(q*float64(len(took)-1))]
}

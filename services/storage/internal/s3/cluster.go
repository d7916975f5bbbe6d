package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"
)

// How often a request is tried in all, at whichever endpoints.
const tries = 4

// cluster is the object store behind all its endpoints. Requests go to those that are open, in turn; when none is, they fail at once: that
// is the circuit that keeps callers from waiting for a store that hangs.
type cluster struct {
	cfg       Config
	log       *slog.Logger
	metrics   *Metrics
	endpoints []*endpoint
	turn      atomic.Uint64
	bucket    bucket

	stop    context.CancelFunc
	running sync.WaitGroup
}

func newCluster(cfg Config, log *slog.Logger, metrics *Metrics) (*cluster, error) {
	c := &cluster{cfg: cfg, log: log, metrics: metrics, bucket: bucket{turn: make(chan struct{}, 1)}}
	for _, raw := range cfg.Endpoints {
		e, err := c.newEndpoint(raw)
		if err != nil {
			return nil, err
		}
		c.endpoints = append(c.endpoints, e)
	}
	return c, nil
}

func (c *cluster) start() {
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	for _, e := range c.endpoints {
		c.running.Go(func() { e.watch(ctx) })
	}
}

func (c *cluster) close() {
	c.stop()
	c.running.Wait()
	for _, e := range c.endpoints {
		e.pool.CloseIdleConnections()
	}
}

// pick gives an open endpoint, one that was not tried yet where there is one; nil where all are closed.
func (c *cluster) pick(tried []*endpoint) (open *endpoint) {
	from := c.turn.Add(1)
	for i := range c.endpoints {
		e := c.endpoints[(from+uint64(i))%uint64(len(c.endpoints))]
		if !e.isUp.Load() {
			continue
		}
		if !slices.Contains(tried, e) {
			return e
		}
		if open == nil {
			open = e
		}
	}
	return open
}

// reachable tells why no endpoint is open, nil when one is.
func (c *cluster) reachable() error {
	for _, e := range c.endpoints {
		if e.isUp.Load() {
			return nil
		}
	}
	return away(c.why())
}

// why joins what is wrong with the endpoints that are closed.
func (c *cluster) why() (all error) {
	for _, e := range c.endpoints {
		if err := e.why.Load(); err != nil && !e.isUp.Load() {
			all = errors.Join(all, fmt.Errorf("%s: %w", e.name, *err))
		}
	}
	return all
}

// do has a request made, and made again elsewhere or later when it may go well then: f must have the same effect however often it is
// called. What it returns is a fault, the context's error, or what minio-go says of the server's answer.
func (c *cluster) do(ctx context.Context, operation string, f func(ctx context.Context, core *minio.Core) error) error {
	return c.doWork(ctx, operation, 0, f)
}

// What a store that says nothing meanwhile can do with so many bytes that it has already, in a second, at the least.
const slowest = 16 << 20

// doWork is do for what a store needs time for: so many bytes are moved within it, during which it may be silent.
func (c *cluster) doWork(ctx context.Context, operation string, size int64, f func(ctx context.Context, core *minio.Core) error) error {
	a, err := c.keep(ctx, operation, c.cfg.Timeout+time.Duration(size/slowest)*time.Second, f)
	if a != nil {
		a.end()
	}
	return err
}

// keep is do, but the request's attempt goes on until the caller ends it: its answer has a body.
func (c *cluster) keep(ctx context.Context, operation string, timeout time.Duration, f func(ctx context.Context, core *minio.Core) error) (*attempt, error) {
	var tried []*endpoint
	var last error
	for n := range tries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e := c.pick(tried)
		if e == nil {
			return nil, away(errors.Join(c.why(), last))
		}
		if slices.Contains(tried, e) {
			if err := pause(ctx, n); err != nil {
				return nil, err
			}
		}
		tried = append(tried, e)
		a, again, err := e.try(ctx, operation, timeout, f)
		if !again {
			return a, err
		}
		if errors.Is(err, errSilent) && errors.Is(last, errSilent) {
			return nil, busy(err, 0) // it is the object that hangs; a caller has waited for long enough
		}
		if unanswered(err) {
			if c.silent() {
				return nil, away(errors.Join(c.why(), err))
			}
			ctx = hurried(ctx)
		}
		last = err
	}
	var said *refusal
	if errors.As(last, &said) {
		return nil, busy(last, said.retryAfter)
	}
	return nil, busy(last, 0)
}

// pause waits before the same endpoint is asked again, the longer the more often it was.
func pause(ctx context.Context, n int) error {
	unit := 25 * time.Millisecond << n
	select {
	case <-time.After(unit/2 + rand.N(unit)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try makes a request at one endpoint, notes what that says of it, and tells whether it is worth trying again.
func (e *endpoint) try(ctx context.Context, operation string, timeout time.Duration, f func(ctx context.Context, core *minio.Core) error) (_ *attempt, again bool, err error) {
	a, began := newAttempt(ctx, timeout), time.Now()
	err = f(a.ctx, e.core)
	took := time.Since(began)
	if err == nil {
		e.cluster.metrics.request(operation, nil, took)
		return a, false, nil
	}
	said, broke := a.failure()
	a.end()
	switch {
	case ctx.Err() != nil:
		e.cluster.metrics.request(operation, ctx.Err(), took)
		return nil, false, ctx.Err()
	case broke != nil:
		e.cluster.metrics.request(operation, broke, took)
		e.suspected(broke)
		return nil, true, broke
	case said != nil:
		e.cluster.metrics.request(operation, said, took)
		return nil, true, said
	}
	e.cluster.metrics.request(operation, err, took)
	// An answer that ends in the middle, or says of itself that it may be another one.
	again = errors.Is(err, io.ErrUnexpectedEOF) || slices.Contains([]string{"InternalError", "SlowDown", "RequestTimeout", "ServiceUnavailable"}, codeOf(err))
	return nil, again, err
}

// suspected closes the endpoint where there is no doubt, and has it looked at where there is: an idle connection may break just so, and one
// request of many may be slow.
func (e *endpoint) suspected(broke error) {
	switch {
	case e.lively(broke):
		e.suspect()
	case errors.Is(broke, errSilent):
		e.close(broke)
		for _, each := range e.cluster.endpoints {
			each.suspect()
		}
	case unanswered(broke):
		e.close(broke)
	default:
		e.suspect()
	}
}

// lively reports that an endpoint was only late, and answered somebody else a moment ago: it, or this machine, may have much to do.
func (e *endpoint) lively(err error) bool {
	var late net.Error
	if !errors.Is(err, errSilent) && (!errors.As(err, &late) || !late.Timeout()) {
		return false
	}
	return time.Since(time.Unix(0, e.heard.Load())) < e.cluster.cfg.Timeout/2
}

package rpc

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"calotype/kit/fault"
)

// Priority says who is turned away first when a server has more to do than it can.
type Priority string

// The priorities. A call without one is normal. A handler's calls take over the priority of the call it answers.
const (
	Interactive Priority = "interactive" // somebody waits for it
	Normal      Priority = "normal"
	Bulk        Priority = "bulk" // it can be done later
)

// PriorityKey is the metadata under which a priority travels.
const PriorityKey = "x-priority"

// ReasonOverloaded is the reason of a call that was turned away; its RetryInfo says when to come again.
const ReasonOverloaded = "OVERLOADED"

// Shedding bounds how many calls and streams a server handles at once.
//
// Unary calls: the limit is found by how long calls take (failsafe-go's adaptive limiter): it falls while more calls at once only
// make each of them slower; a quarter of Min is free and not measured. Above it calls wait, as long as the queue for their priority lasts: interactive ones up to as many
// as the limit, normal ones up to half of that, bulk ones not at all, and a tenth of the limit is kept from them. The others
// are turned away at once, with UNAVAILABLE and RetryInfo.
//
// Streams have a count of their own, so that those which last for hours take nothing from unary calls, and how long they last
// says nothing of the server. Beyond the count they are turned away when they open, in the same way; a tenth of it is kept for
// interactive ones, and another tenth from bulk ones.
type Shedding struct {
	Off     bool
	Min     int           // the limit never falls below; default 64
	Max     int           // nor rises above; default 1024
	Wait    time.Duration // the longest that a call waits in the queue; default 500 ms
	Streams int           // streams at once; default 4096
}

func (s Shedding) withDefaults() Shedding {
	s.Min = orElse(s.Min, 64)
	s.Max = max(orElse(s.Max, 1024), s.Min)
	s.Wait = orElse(s.Wait, 500*time.Millisecond)
	s.Streams = orElse(s.Streams, 4096)
	return s
}

// shedder admits calls.
type shedder struct {
	cfg     Shedding
	free    int64 // calls that the limiter need not know of: asking it takes a hundredth of what a small request takes in all
	limiter adaptivelimiter.AdaptiveLimiter[any]
	// The limiter's own figures are behind its lock.
	limit, running atomic.Int64
	streams        atomic.Int64
}

func newShedder(cfg Shedding) *shedder {
	if cfg.Off {
		return nil
	}
	s := &shedder{cfg: cfg, free: int64(cfg.Min / 4)}
	low, high, first := cfg.Min-cfg.Min/4, cfg.Max-cfg.Min/4, min(2*cfg.Min, cfg.Max)-cfg.Min/4
	s.limit.Store(int64(first) + s.free)
	s.limiter = adaptivelimiter.NewBuilder[any]().
		WithLimits(uint(low), uint(high), uint(first)).
		WithRecentWindow(250*time.Millisecond, 5*time.Second, 20).
		OnLimitChanged(func(e adaptivelimiter.LimitChangedEvent) { s.limit.Store(int64(e.NewLimit) + s.free) }).
		Build()
	return s
}

// admit gives what ends the call, which is nil for one that the limiter need not know of, or the reason why it is turned away.
func (s *shedder) admit(ctx context.Context) (adaptivelimiter.Permit, error) {
	if s.running.Load() < s.free {
		s.running.Add(1)
		return nil, nil
	}
	limit := int(s.limit.Load())
	near := int(s.running.Load()) >= limit*9/10
	if !near || priorityOf(ctx) != Bulk {
		if permit, ok := s.limiter.TryAcquirePermit(); ok {
			s.running.Add(1)
			return permit, nil
		}
	}
	room := 0
	switch priorityOf(ctx) {
	case Interactive:
		room = limit
	case Bulk:
	default:
		room = limit / 2
	}
	if s.limiter.Queued() >= room {
		return nil, overloaded()
	}
	permit, err := s.limiter.AcquirePermitWithMaxWait(ctx, s.cfg.Wait)
	switch {
	case err == nil:
		s.running.Add(1)
		return permit, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, overloaded()
}

// overloaded spreads the return of those turned away.
func overloaded() error {
	f := fault.New(fault.Unavailable, ReasonOverloaded, "the node has more to do than it can; try again later")
	f.RetryAfter = 500*time.Millisecond + rand.N(500*time.Millisecond)
	return f
}

// done tells the limiter how long a call took. One that was left says nothing of how long it would have.
func (s *shedder) done(permit adaptivelimiter.Permit, err error) {
	s.running.Add(-1)
	if permit == nil {
		return
	}
	if err != nil {
		if c := Status(err).Code(); c == codes.Canceled || c == codes.DeadlineExceeded {
			permit.Drop()
			return
		}
	}
	permit.Record()
}

// open counts a stream in, or says why it is turned away; close counts it out.
func (s *shedder) open(ctx context.Context) error {
	room, tenth := int64(s.cfg.Streams), int64(s.cfg.Streams/10)
	switch priorityOf(ctx) {
	case Interactive:
	case Bulk:
		room -= 2 * tenth
	default:
		room -= tenth
	}
	for {
		n := s.streams.Load()
		if n >= room {
			return overloaded()
		}
		if s.streams.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

func (s *shedder) close() { s.streams.Add(-1) }

func priorityOf(ctx context.Context) Priority {
	if v := metadata.ValueFromIncomingContext(ctx, PriorityKey); len(v) > 0 {
		return Priority(strings.ToLower(v[0]))
	}
	return Normal
}

package rpc

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"calotype/kit/rpc/internal/cluster"
)

// try is one call on its way through its attempts.
type try struct {
	c      *Client
	req    client.Request
	method *clientMethod
	opts   client.CallOptions
	extra  *extra
	group  *group
	tried  []*cluster.Node
	asked  []*cluster.Node // by a hedged call, last
	sent   int             // attempts that may have reached a handler
	hold   hold
}

// hold is an attempt that may move to another node while it waits for one that fell silent.
type hold struct {
	cluster.Call
	cancel context.CancelFunc
	moved  bool
}

// held lets an attempt on n move where that is harmless, and gives the context to make it under and what must end it.
func (t *try) held(ctx context.Context, n *cluster.Node) (context.Context, func()) {
	t.hold.moved = false
	if !t.harmless() || t.sent >= t.opts.Retries {
		return ctx, func() {}
	}
	ctx, t.hold.cancel = context.WithCancel(ctx)
	n.Hold(&t.hold.Call, func() {
		// Paid for before it is taken from its node: a call that may not be repeated there must be left to wait.
		if !t.hold.moved && t.group.budget.retry() {
			t.hold.moved = true
			t.hold.cancel()
		}
	})
	return ctx, func() {
		n.Release(&t.hold.Call)
		t.hold.cancel()
	}
}

// errSilent is how an attempt ended that was taken from its node.
var errSilent = status.Error(codes.Unavailable, "the node fell silent")

func (t *try) harmless() bool { return t.method.idempotent || t.extra.idempotent }

// run makes attempts. A node that was picked is counted out again when its attempt is over.
func (t *try) run(ctx context.Context, attempt func(context.Context, *cluster.Node) (verdict, error)) error {
	t.group.budget.call()
	var last error
	for {
		n, err := t.pick(ctx)
		if err != nil {
			if last != nil {
				return last
			}
			return t.unpicked(err)
		}
		v, err := attempt(ctx, n)
		n.End()
		if err == nil {
			return nil
		}
		last = t.c.failed(err, t.method.full, n.Registry.Id)
		if !t.again(ctx, n, v, last) {
			return last
		}
	}
}

func (t *try) pick(ctx context.Context) (*cluster.Node, error) {
	w := cluster.Want{Key: t.extra.key, Tried: t.tried}
	if t.extra.roundRobin || t.c.cfg.RoundRobin {
		w.Strategy = cluster.RoundRobin
	}
	return t.group.Pick(ctx, w)
}

// again decides on one more attempt, and waits for its time.
//
// What never left may always be sent, to as many nodes as there are. What may have run is repeated only where the method, or
// the caller, declares that harmless, and only while the budget lasts.
func (t *try) again(ctx context.Context, n *cluster.Node, v verdict, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	t.tried = append(t.tried, n)
	if v == unsent {
		return len(t.tried) <= t.opts.Retries+len(t.group.Nodes())
	}
	t.sent++
	if v == silent { // its move was decided and paid for
		t.c.observe(t.req.Service(), EventMove)
		return true
	}
	// An overloaded node is no broken one: others may have room, and where there is none the caller should know at once.
	may := t.harmless() && (v == broke || v == refused || v == shed && t.another())
	if t.opts.Retry != nil && t.harmless() {
		ok, rerr := t.opts.Retry(ctx, t.req, t.sent, err)
		may = ok && rerr == nil
	}
	if !may || t.sent > t.opts.Retries {
		return false
	}
	if !t.group.budget.retry() {
		t.c.observe(t.req.Service(), EventSpent)
		return false
	}
	t.c.observe(t.req.Service(), EventRetry)
	wait := spacing(t.sent)
	if t.opts.Backoff != nil {
		if d, berr := t.opts.Backoff(ctx, t.req, t.sent); berr == nil {
			wait = d
		}
	}
	if f := retryAfter(err); f > wait && !t.another() {
		wait = f // the only node asked for time
	}
	return pause(ctx, wait)
}

// another tells whether there is a node that was not tried.
func (t *try) another() bool {
	return slices.ContainsFunc(t.group.Nodes(), func(n *cluster.Node) bool { return n.Up() && !slices.Contains(t.tried, n) })
}

// spacing is short: the next attempt goes to another node. It is there for what fails in the same way everywhere.
func spacing(attempt int) time.Duration {
	d := min(10*time.Millisecond<<(attempt-1), 250*time.Millisecond)
	return d/2 + rand.N(d)
}

// pause is false, at once, when the wait would outlast the deadline.
func pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

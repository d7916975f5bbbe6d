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
	failed bool            // an attempt, for another reason than that its node had too much to do
	began  int64           // on the cluster's clock
	end    time.Time       // of a call whose context has no deadline of its own
	hold   hold
	first  attempt // the context of the first attempt, where it needs one
}

// hold is an attempt that may move to another node while it waits for one that fell silent.
type hold struct {
	cluster.Call
	node   *cluster.Node // nil: it may not move
	own    *attempt      // its context, or
	cancel context.CancelFunc
	moved  bool
}

// begin gives the context of an attempt on n, and lets it move where that is harmless; finish must end it. One context serves the
// deadline and the move.
func (t *try) begin(ctx context.Context, n *cluster.Node) context.Context {
	t.hold.moved, t.hold.cancel, t.hold.own = false, nil, nil
	movable := t.harmless() && t.sent < t.opts.Retries
	switch {
	case !movable && t.end.IsZero():
	case ctx.Done() == nil:
		if t.hold.own = &t.first; len(t.tried) > 0 {
			t.hold.own = new(attempt) // whoever kept the first one's context must see it ended
		}
		t.hold.own.begin(ctx, t.end)
		ctx = t.hold.own
	case !t.end.IsZero():
		ctx, t.hold.cancel = context.WithDeadline(ctx, t.end)
	default:
		ctx, t.hold.cancel = context.WithCancel(ctx)
	}
	if movable {
		t.hold.node = n
		n.Hold(&t.hold.Call, t, t.now())
	}
	return ctx
}

// Move is told that the node fell silent. Paid for before it is taken away: a call that may not be repeated must be left to wait.
func (t *try) Move() {
	if !t.hold.moved && t.group.budget.retry() {
		t.hold.moved = true
		if t.hold.own != nil {
			t.hold.own.cancel(context.Canceled)
		} else {
			t.hold.cancel()
		}
	}
}

// stay ends the time in which the attempt may move.
func (t *try) stay() {
	if t.hold.node != nil {
		t.hold.node.Release(&t.hold.Call)
		t.hold.node = nil
	}
}

func (t *try) finish() {
	t.stay()
	if t.hold.own != nil {
		t.hold.own.finish()
	}
	if t.hold.cancel != nil {
		t.hold.cancel()
	}
}

// now is a moment of the cluster's clock: a call that has waited for nothing yet need not ask again.
func (t *try) now() int64 {
	if len(t.tried) == 0 && t.began > 0 {
		return t.began
	}
	return cluster.Clock()
}

// over tells whether the call's time has passed, or its caller has left.
func (t *try) over(ctx context.Context) bool {
	return ctx.Err() != nil || !t.end.IsZero() && !time.Now().Before(t.end)
}

// errSilent is how an attempt ended that was taken from its node.
var errSilent = status.Error(codes.Unavailable, "the node fell silent")

func (t *try) harmless() bool { return t.method.idempotent || t.extra.idempotent }

// run makes attempts. A node that was picked is counted out again when its attempt is over.
func (t *try) run(ctx context.Context, rsp any) error {
	t.group.budget.call(t.began)
	var last error
	for {
		n, err := t.pick(ctx)
		if err != nil {
			if last != nil {
				return last
			}
			return t.unpicked(err)
		}
		within := t.begin(ctx, n)
		v, err := t.c.attempt(within, n, t, rsp, t.hold.own)
		t.finish()
		if err != nil && t.hold.moved && !t.over(ctx) {
			v, err = silent, errSilent
		}
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
	w := cluster.Want{Key: t.extra.key, Tried: t.tried, Beyond: t.failed, Now: t.now()}
	if t.extra.roundRobin || t.c.cfg.RoundRobin {
		w.Strategy = cluster.RoundRobin
	}
	if n := t.group.Choose(w); n != nil {
		return n, nil
	}
	if !t.end.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, t.end)
		defer cancel()
	}
	n, err := t.group.Pick(ctx, w)
	t.began = cluster.Clock() // what was waited for is not the node's doing
	return n, err
}

// again decides on one more attempt, and waits for its time.
//
// What never left may always be sent, to as many nodes as there are. What may have run is repeated only where the method, or
// the caller, declares that harmless, and only while the budget lasts.
func (t *try) again(ctx context.Context, n *cluster.Node, v verdict, err error) bool {
	if t.over(ctx) {
		return false
	}
	t.tried = append(t.tried, n)
	t.failed = t.failed || v != shed
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
	if v == shed {
		wait = 0 // what one node has too much of says nothing of the next, and a refusal must be quick
	}
	if t.opts.Backoff != nil {
		if d, berr := t.opts.Backoff(ctx, t.req, t.sent); berr == nil {
			wait = d
		}
	}
	if f := retryAfter(err); f > wait && !t.another() {
		wait = f // the only node asked for time
	}
	if !t.end.IsZero() && time.Until(t.end) <= wait {
		return false
	}
	return pause(ctx, wait)
}

// another tells whether there is a node that was not tried.
func (t *try) another() bool {
	return slices.ContainsFunc(t.group.InUse(), func(n *cluster.Node) bool { return n.Up() && !slices.Contains(t.tried, n) })
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

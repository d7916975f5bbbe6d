package rpc

import (
	"context"
	"time"

	"go-micro.dev/v4/client"
	"google.golang.org/protobuf/proto"

	"calotype/kit/rpc/internal/cluster"
)

// WithHedge asks a second node when the first has not answered after a while, and takes the answer that comes first. It is meant
// for short reads, with a time that few of them take; each second attempt is paid from the budget for retries. Calls that may
// not be repeated, and those with options of grpc-go's that are written to (header, trailer, peer), are made as if it were not there.
func WithHedge(after time.Duration) client.CallOption {
	return with(func(e *extra) { e.hedge = after })
}

// hedges tells whether a call can be made twice at once.
func (t *try) hedges(rsp any) bool {
	if t.extra.hedge <= 0 || !t.harmless() {
		return false
	}
	for _, o := range t.extra.grpc {
		if _, reads := o.(metadataOption); !reads {
			return false
		}
	}
	_, ok := rsp.(proto.Message)
	return ok
}

type outcome struct {
	node *cluster.Node
	rsp  proto.Message
	v    verdict
	err  error
}

// hedged makes a call whose attempts may overlap: one beside the first when that is slow, and others after both have failed.
func (t *try) hedged(ctx context.Context, rsp proto.Message) error {
	if !t.end.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, t.end)
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx) // whoever comes second stops
	defer cancel()
	t.group.budget.call(t.began)
	outcomes := make(chan outcome)
	running := 0
	start := func() error {
		n, err := t.pick(ctx)
		if err != nil {
			return err
		}
		running++
		go func() {
			o := outcome{node: n, rsp: rsp.ProtoReflect().New().Interface()}
			o.v, o.err = t.c.attempt(ctx, n, t, o.rsp, nil)
			n.End()
			select {
			case outcomes <- o:
			case <-ctx.Done():
			}
		}()
		t.asked = append(t.asked[:0], n)
		return nil
	}
	if err := start(); err != nil {
		return t.unpicked(err)
	}
	slow := time.NewTimer(t.extra.hedge)
	defer slow.Stop()
	for {
		select {
		case <-slow.C:
			before := t.tried
			t.tried = append(t.tried, t.asked...)
			if t.another() && t.group.budget.retry() && start() == nil {
				t.c.observe(t.req.Service(), EventHedge)
			} else {
				t.tried = before
			}
		case o := <-outcomes:
			if running--; o.err == nil {
				proto.Reset(rsp)
				proto.Merge(rsp, o.rsp)
				return nil
			}
			if running > 0 {
				continue // the other one may do better
			}
			last := t.c.failed(o.err, t.method.full, o.node.Registry.Id)
			if !t.again(ctx, o.node, o.v, last) || start() != nil {
				return last
			}
		case <-ctx.Done():
			return t.c.failed(ctx.Err(), t.method.full, "")
		}
	}
}

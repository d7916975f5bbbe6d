package rpc

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"calotype/kit/internal/incoming"
	"calotype/kit/rpc/internal/cluster"
)

// caller is the client inside its wrappers.
type caller struct{ *Client }

// Call tries nodes until one answers or the rules of retry say stop.
func (c caller) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	t, err := c.prepare(req, opts)
	if err != nil {
		return err
	}
	t.began = cluster.Clock()
	if end, has := ctx.Deadline(); t.opts.RequestTimeout > 0 && (!has || t.opts.RequestTimeout != c.cfg.Timeout) {
		if t.end = cluster.At(t.began + int64(t.opts.RequestTimeout)); has && end.Before(t.end) {
			t.end = time.Time{}
		}
	}
	if relayed, cancel := margin(ctx); cancel != nil {
		defer cancel()
		ctx = relayed
	}
	if t.hedges(rsp) {
		return t.hedged(ctx, rsp.(proto.Message))
	}
	return t.run(ctx, rsp)
}

// attempt puts the call wrappers around invoke.
func (c *Client) attempt(ctx context.Context, n *cluster.Node, t *try, rsp any, own *attempt) (verdict, error) {
	if len(t.opts.CallWrappers) == 0 {
		return c.invoke(ctx, n, t, rsp, own)
	}
	var v verdict
	err := wrapCall(t.opts.CallWrappers, func(ctx context.Context, _ *registry.Node, _ client.Request, rsp any, _ client.CallOptions) error {
		var err error
		v, err = c.invoke(ctx, n, t, rsp, own)
		return err
	})(ctx, n.Registry, t.req, rsp, t.opts)
	return v, err
}

// margin keeps a little of the time that a handler was given from the calls it makes: a twentieth, 20 ms at most. So the
// handler can still tell its caller whose answer did not come.
func margin(ctx context.Context) (context.Context, context.CancelFunc) {
	end, has := ctx.Deadline()
	if !has {
		return ctx, nil
	}
	if incoming.MD(ctx) == nil {
		return ctx, nil
	}
	return context.WithDeadline(ctx, end.Add(-min(time.Until(end)/20, 20*time.Millisecond)))
}

func wrapCall(wrappers []client.CallWrapper, fn client.CallFunc) client.CallFunc {
	for i := len(wrappers) - 1; i >= 0; i-- {
		fn = wrappers[i](fn)
	}
	return fn
}

// prepare reads what a call needs to know before its first attempt.
func (c *Client) prepare(req client.Request, opts []client.CallOption) (*try, error) {
	t := &try{c: c, req: req, opts: c.now.Load().call}
	for _, o := range opts {
		o(&t.opts)
	}
	t.extra = extraOf(&t.opts)
	r, ok := req.(*clientRequest)
	if ok && r.extra != nil {
		t.extra = r.extra.and(t.extra)
	}
	if ok && r.err == nil {
		t.method = r.method
	} else {
		m, err := c.methods.find(req.Method(), req.Body())
		if err != nil {
			return nil, c.failed(status.Error(codes.Unimplemented, err.Error()), req.Method(), "")
		}
		t.method = m
	}
	g, err := c.group(req.Service(), t.opts.Address)
	if err != nil {
		return nil, t.unpicked(err)
	}
	t.group = g
	return t, nil
}

// watch holds where grpc-go puts what became of an attempt, with the options that point there.
type watch struct {
	peer    peer.Peer
	trailer metadata.MD
	opts    []grpc.CallOption
}

var watches = sync.Pool{New: func() any {
	w := &watch{}
	w.opts = append(make([]grpc.CallOption, 0, 8), grpc.Peer(&w.peer))
	return w
}}

// observe adds the options of a call, and tells where its trailer comes: a caller who wants it gets the one copy that is made.
func (w *watch) observe(every, own []grpc.CallOption) *metadata.MD {
	w.opts = append(append(w.opts, every...), own...)
	for _, o := range own {
		if t, ok := o.(grpc.TrailerCallOption); ok {
			*t.TrailerAddr = nil // an attempt before this one may have left its own
			return t.TrailerAddr
		}
	}
	w.opts = append(w.opts, grpc.Trailer(&w.trailer))
	return &w.trailer
}

// invoke is one attempt of a unary call.
func (c *Client) invoke(ctx context.Context, n *cluster.Node, t *try, rsp any, own *attempt) (verdict, error) {
	w := watches.Get().(*watch)
	defer func() {
		w.peer, w.trailer = peer.Peer{}, nil
		clear(w.opts[1:])
		w.opts = w.opts[:1]
		watches.Put(w)
	}()
	trailer := w.observe(c.every, t.extra.grpc)
	began := cluster.Clock()
	err := n.Conn.Invoke(t.onWire(t.extra.context(outgoing(ctx)), own), t.method.full, t.req.Body(), rsp, w.opts...)
	v := answered
	if err != nil {
		v = c.judge(err, w.peer.Addr == nil, len(*trailer) > 0)
	}
	v.tell(n, began, cluster.Clock())
	return v, err
}

// verdict is what an attempt says of the node and of the call.
type verdict uint8

const (
	answered verdict = iota // the node answered, be it with an error of the application
	refused                 // it answered Unavailable
	shed                    // it answered that it has too much to do, and when to come again
	broke                   // the connection broke under the call; nobody knows whether it ran
	unsent                  // the request provably did not reach a handler
	silent                  // the node fell silent and the call was taken away
	late                    // the deadline passed, or the caller left
)

func (c *Client) judge(err error, noStream, toldByServer bool) verdict {
	if err == nil {
		return answered
	}
	st, _ := status.FromError(err)
	switch st.Code() {
	case codes.Unavailable:
		switch {
		case noStream || strings.Contains(st.Message(), c.mark):
			return unsent
		case toldByServer:
			if Fault(st).RetryAfter > 0 {
				return shed
			}
			return refused
		}
		return broke
	case codes.DeadlineExceeded, codes.Canceled:
		if !toldByServer {
			return late
		}
	case codes.Unimplemented:
		// grpc-go's words for a service that it has no handlers of: somebody else has the node's address by now.
		if strings.HasPrefix(st.Message(), "unknown service ") {
			return unsent
		}
	}
	return answered
}

// tell tells the node; both times are 0 for streams, whose length says nothing of the node.
func (v verdict) tell(n *cluster.Node, began, ended int64) {
	switch v {
	case answered:
		if ended > 0 {
			n.Observe(began, ended)
		}
		n.Succeeded()
	case late:
		n.ObserveAtLeast(began, ended)
	case refused:
		n.Refused()
	case shed:
		n.Rest()
	case broke:
		n.Broke()
	}
}

// unpicked says why a call found no node.
func (t *try) unpicked(err error) error {
	switch {
	case errors.Is(err, cluster.ErrNoNodes), errors.Is(err, cluster.ErrAllDown):
		err = status.Errorf(codes.Unavailable, "%s: %v", t.req.Service(), err)
	case errors.Is(err, cluster.ErrClosed):
		err = status.Error(codes.Canceled, err.Error())
	}
	return t.c.failed(err, t.req.Method(), "")
}

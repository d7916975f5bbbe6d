package rpc

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/codec"
	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"

	"calotype/kit/rpc/internal/cluster"
)

// clientStream is a stream that may still change its node: until the first message came, while what was sent can be sent
// again. That is nothing yet, or the one request of a server stream.
type clientStream struct {
	*try
	ctx    context.Context
	cancel context.CancelFunc
	desc   *grpc.StreamDesc

	mu        sync.Mutex
	cs        grpc.ClientStream
	node      *cluster.Node
	first     any // the request of a server stream
	sends     int
	receiving bool
	received  bool
	over      bool
	err       error
	release   func() bool
}

// Stream opens a stream on the first node that takes it.
func (c caller) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	t, err := c.prepare(req, opts)
	if err != nil {
		return nil, err
	}
	s := &clientStream{try: t, desc: t.extra.desc}
	if s.desc == nil {
		s.desc = t.method.stream
	}
	if s.desc == nil {
		s.desc = &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	}
	if t.opts.StreamTimeout > 0 {
		s.ctx, s.cancel = context.WithTimeout(ctx, t.opts.StreamTimeout)
	} else {
		s.ctx, s.cancel = context.WithCancel(ctx)
	}
	if relayed, cancel := margin(s.ctx); cancel != nil {
		whole := s.cancel
		s.ctx, s.cancel = relayed, func() { cancel(); whole() }
	}
	t.group.budget.call(cluster.Clock())
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(nil); err != nil {
		s.cancel()
		return nil, err
	}
	// However the stream is left, its node is told.
	s.release = context.AfterFunc(s.ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finish(s.ctx.Err(), late)
	})
	if t.extra.opened != nil {
		t.extra.opened(s)
	}
	return s, nil
}

// open finds a node and opens the stream there; last is why the one before failed.
func (s *clientStream) open(last error) error {
	for {
		n, err := s.pick(s.ctx)
		if err != nil {
			if last != nil {
				return last
			}
			return s.unpicked(err)
		}
		cs, err := s.openOn(n)
		if err == nil {
			s.cs, s.node = cs, n
			return nil
		}
		v := s.c.judge(err, true, false) // without a stream nothing was sent
		v.tell(n, 0, 0)
		n.End()
		last = s.c.failed(err, s.method.full, n.Registry.Id)
		if !s.again(s.ctx, n, v, last) {
			return last
		}
	}
}

func (s *clientStream) openOn(n *cluster.Node) (cs grpc.ClientStream, err error) {
	ctx := s.ctx
	s.hold.moved = false
	if !s.desc.ClientStreams {
		ctx = s.begin(ctx, n)
	}
	open := func(ctx context.Context, _ *registry.Node, _ client.Request, _ any, _ client.CallOptions) error {
		cs, err = n.Conn.NewStream(s.extra.context(outgoing(ctx)), s.desc, s.method.full, slices.Concat(s.c.every, s.extra.grpc)...)
		return err
	}
	if werr := wrapCall(s.opts.CallWrappers, open)(ctx, n.Registry, s.req, client.Stream(s), s.opts); werr != nil {
		err = werr
	}
	if err != nil {
		s.try.finish()
		return nil, err
	}
	return cs, nil
}

// reopen moves the stream to another node after err, where that is allowed, and sends again what had been sent.
func (s *clientStream) reopen(err error) bool {
	replayable := s.sends == 0 || (s.first != nil && s.sends == 1)
	if s.received || s.over || !replayable {
		return false
	}
	v := s.verdict(err)
	s.stay()
	if v != unsent && v != broke && v != refused && v != shed && !s.hold.moved {
		return false
	}
	s.try.finish()
	if s.hold.moved && s.ctx.Err() == nil {
		v, err = silent, errSilent
	}
	last := s.c.failed(err, s.method.full, s.node.Registry.Id)
	if !s.again(s.ctx, s.node, v, last) {
		return false
	}
	v.tell(s.node, 0, 0)
	s.node.End()
	s.node = nil
	if s.open(last) != nil {
		return false
	}
	// The error of a send is told by Recv, which comes next.
	if s.sends == 1 {
		_ = s.cs.SendMsg(s.first)
	}
	return true
}

func (s *clientStream) verdict(err error) verdict {
	return s.c.judge(err, false, len(s.cs.Trailer()) > 0)
}

// Send sends a message; io.EOF means that the server has ended the stream, and Recv tells why.
func (s *clientStream) Send(m any) error {
	s.mu.Lock()
	cs := s.cs
	if !s.desc.ClientStreams && s.sends == 0 {
		s.first = m
	}
	s.mu.Unlock()
	err := cs.SendMsg(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.sends++
		return nil
	}
	if errors.Is(err, io.EOF) {
		// Nothing was taken yet: another node may. The reason can be read here only while nobody else is reading.
		if s.sends > 0 || s.receiving || s.over || s.received {
			return err
		}
		why := cs.RecvMsg(new(discard))
		if why == nil || errors.Is(why, io.EOF) || !s.reopen(why) {
			return err
		}
		if err := s.cs.SendMsg(m); err != nil {
			return err
		}
		s.sends++
		return nil
	}
	s.err = s.c.failed(err, s.method.full, s.node.Registry.Id)
	return s.err
}

// discard takes a message that nobody will read; grpc-go only tries to decode into it when there is one.
type discard struct{}

// Recv receives a message; io.EOF is the good end.
func (s *clientStream) Recv(m any) error {
	for {
		s.mu.Lock()
		if s.over {
			defer s.mu.Unlock()
			return s.after()
		}
		cs := s.cs
		s.receiving = true
		s.mu.Unlock()
		err := cs.RecvMsg(m)
		s.mu.Lock()
		s.receiving = false
		switch {
		case err == nil:
			if !s.received {
				s.received, s.first = true, nil
				s.stay()
				s.node.Succeeded()
			}
			if !s.desc.ServerStreams {
				s.finish(nil, answered) // grpc-go has read the status too
			}
			s.mu.Unlock()
			return nil
		case errors.Is(err, io.EOF):
			s.finish(nil, answered)
			s.mu.Unlock()
			return io.EOF
		case s.reopen(err):
			s.mu.Unlock()
			continue
		}
		v := s.verdict(err)
		if s.node != nil {
			err = s.c.failed(err, s.method.full, s.node.Registry.Id)
		} else {
			err = s.c.failed(err, s.method.full, "")
		}
		s.finish(err, v)
		s.mu.Unlock()
		return err
	}
}

// after is what Recv gives once the stream is over.
func (s *clientStream) after() error {
	if s.err != nil {
		return s.err
	}
	return io.EOF
}

// finish tells the node how it went, once, and lets go of everything.
func (s *clientStream) finish(err error, v verdict) {
	if s.over {
		return
	}
	s.over = true
	if err != nil {
		s.err = s.c.failed(err, s.method.full, "")
	}
	if s.node != nil {
		s.try.finish()
		v.tell(s.node, 0, 0)
		s.node.End()
	}
	if s.release != nil {
		s.release()
	}
	s.cancel()
}

// Close ends the stream, whatever state it is in; the server's handler sees its context end.
func (s *clientStream) Close() error {
	s.cancel()
	return nil
}

// CloseSend says that no more messages come.
func (s *clientStream) CloseSend() error {
	s.mu.Lock()
	cs := s.cs
	s.sends++ // the end of a stream is a message too: after it nothing is sent again
	s.mu.Unlock()
	return cs.CloseSend()
}

func (s *clientStream) Context() context.Context  { return s.ctx }
func (s *clientStream) Request() client.Request   { return s.req }
func (s *clientStream) Response() client.Response { return &streamResponse{s} }

func (s *clientStream) Error() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *clientStream) current() grpc.ClientStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cs
}

type streamResponse struct{ s *clientStream }

func (r *streamResponse) Codec() codec.Reader   { return nil }
func (r *streamResponse) Read() ([]byte, error) { return nil, errNoCodec }

func (r *streamResponse) Header() map[string]string {
	md, err := r.s.current().Header()
	if err != nil {
		return nil
	}
	h := make(map[string]string, len(md))
	for k, v := range md {
		h[k] = joined(v)
	}
	return h
}

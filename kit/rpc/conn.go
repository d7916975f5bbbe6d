package rpc

import (
	"context"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Conn is a service as grpc-go's generated clients, and grpc-gateway's, want it. Calls on it go the way of Call and Stream:
// wrappers, balancing, retries.
func (c *Client) Conn(service string) grpc.ClientConnInterface { return &conn{c, service} }

type conn struct {
	client  *Client
	service string
}

func (c *conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	req := &connRequest{clientRequest: c.client.newRequest(c.service, method, args), extra: extra{grpc: opts}}
	req.clientRequest.extra = &req.extra
	return c.client.Call(ctx, &req.clientRequest, reply)
}

// connRequest is a request with the options of its stub, in one piece.
type connRequest struct {
	clientRequest
	extra extra
}

func (c *conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.client.NewStream(ctx, c.service, desc, method, with(func(e *extra) { e.grpc = opts }))
}

// NewStream opens a stream in grpc-go's terms with the options of a call. Desc says which side streams, where no descriptor of the method
// is linked in; a stream of which the server's side alone streams, and whose method or caller declares it harmless, may move until
// its first message has come.
func (c *Client) NewStream(ctx context.Context, service string, desc *grpc.StreamDesc, method string, opts ...client.CallOption) (grpc.ClientStream, error) {
	req := c.NewRequest(service, method, nil, client.StreamingRequest())
	out := &connStream{}
	stream, err := c.Stream(ctx, req, append(opts[:len(opts):len(opts)], with(func(e *extra) {
		e.desc = desc
		e.opened = func(s *clientStream) { out.inner = s }
	}))...)
	if err != nil {
		return nil, err
	}
	out.Stream = stream
	return out, nil
}

// connStream is a stream in grpc-go's terms: messages go through the wrappers' stream, header and trailer come from ours.
type connStream struct {
	client.Stream
	inner *clientStream
}

func (s *connStream) SendMsg(m any) error          { return s.Send(m) }
func (s *connStream) RecvMsg(m any) error          { return s.Recv(m) }
func (s *connStream) Header() (metadata.MD, error) { return s.inner.current().Header() }
func (s *connStream) Trailer() metadata.MD         { return s.inner.current().Trailer() }

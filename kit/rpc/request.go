package rpc

import (
	"context"
	"errors"

	"go-micro.dev/v4/codec"
	"go-micro.dev/v4/metadata"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
)

var errNoCodec = errors.New("rpc: messages arrive decoded; there is no raw body")

// request is what handler wrappers see of a call. Endpoint is go-micro's short form, Greeter.Hello; Method is the full
// method of gRPC, /greeter.v1.Greeter/Hello.
type request struct {
	ctx    context.Context
	method *serverMethod
	server string
	body   any
}

func (r *request) Service() string       { return r.server }
func (r *request) Method() string        { return r.method.full }
func (r *request) Endpoint() string      { return r.method.endpoint }
func (r *request) ContentType() string   { return "application/grpc+proto" }
func (r *request) Body() any             { return r.body }
func (r *request) Read() ([]byte, error) { return nil, errNoCodec }
func (r *request) Codec() codec.Reader   { return nil }
func (r *request) Stream() bool          { return r.method.stream }

func (r *request) Header() map[string]string {
	md, _ := metadata.FromContext(r.ctx)
	return md
}

// serverStream is go-micro's view of a gRPC stream. Its context is the one that the wrappers made.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
	req *request
	err error
}

func (s *serverStream) Context() context.Context { return s.ctx }
func (s *serverStream) Request() server.Request  { return s.req }
func (s *serverStream) Error() error             { return s.err }

// Close is nothing: a gRPC stream ends when its handler returns.
func (s *serverStream) Close() error { return nil }

func (s *serverStream) Send(m any) error {
	err := s.SendMsg(m)
	if err != nil {
		s.err = err
	}
	return err
}

func (s *serverStream) Recv(m any) error {
	err := s.RecvMsg(m)
	if err != nil {
		s.err = err
	}
	return err
}

package rpc

import (
	"context"
	"reflect"
	"sync"

	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// serverMethod is one method of a registered handler, looked up once.
type serverMethod struct {
	full     string
	endpoint string
	stream   bool
	fn       reflect.Value
	in, out  reflect.Type
	info     *grpc.UnaryServerInfo
	handle   grpc.UnaryHandler
}

// serviceDesc makes of a go-micro handler what grpc-go registers.
func (s *Server) serviceDesc(h server.Handler, sd protoreflect.ServiceDescriptor) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: string(sd.FullName()), HandlerType: (*any)(nil), Metadata: sd.ParentFile().Path()}
	v := reflect.ValueOf(h.Handler())
	for i := range sd.Methods().Len() {
		md := sd.Methods().Get(i)
		m := &serverMethod{
			full:     "/" + string(sd.FullName()) + "/" + string(md.Name()),
			endpoint: h.Name() + "." + string(md.Name()),
			fn:       v.MethodByName(string(md.Name())),
		}
		if md.IsStreamingClient() || md.IsStreamingServer() {
			m.stream = true
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName:    string(md.Name()),
				Handler:       func(_ any, ss grpc.ServerStream) error { return s.serveStream(m, ss) },
				ServerStreams: md.IsStreamingServer(),
				ClientStreams: md.IsStreamingClient(),
			})
			continue
		}
		m.in, m.out = m.fn.Type().In(1).Elem(), m.fn.Type().In(2).Elem()
		m.info = &grpc.UnaryServerInfo{Server: s, FullMethod: m.full}
		m.handle = s.handler(m, directly(h.Handler(), string(md.Name()), m))
		desc.Methods = append(desc.Methods, grpc.MethodDesc{
			MethodName: string(md.Name()),
			Handler: func(_ any, ctx context.Context, decode func(any) error, between grpc.UnaryServerInterceptor) (any, error) {
				return s.serveUnary(ctx, m, decode, between)
			},
		})
	}
	return desc
}

func (s *Server) serveUnary(ctx context.Context, m *serverMethod, decode func(any) error, between grpc.UnaryServerInterceptor) (any, error) {
	body := reflect.New(m.in).Interface()
	if err := decode(body); err != nil {
		return nil, Status(err).Err()
	}
	if between == nil {
		return m.handle(ctx, body)
	}
	return between(ctx, body, m.info, m.handle)
}

// unary is what one call needs, in one piece.
type unary struct {
	request
	received receivedContext
}

// handler is what stands inside the interceptors. Wrappers are put around the handler on first use: they are fixed by Start.
func (s *Server) handler(m *serverMethod, direct func(ctx context.Context, body, rsp any) error) grpc.UnaryHandler {
	chain := sync.OnceValue(func() server.HandlerFunc {
		return s.wrapped(func(ctx context.Context, req server.Request, rsp any) error {
			return direct(ctx, req.Body(), rsp)
		})
	})
	return func(ctx context.Context, body any) (any, error) {
		rsp := reflect.New(m.out).Interface()
		u := &unary{request: request{method: m, server: s.name, body: body}, received: receivedContext{Context: ctx}}
		u.ctx = &u.received
		return rsp, chain()(u.ctx, &u.request, rsp)
	}
}

func (s *Server) serveStream(m *serverMethod, ss grpc.ServerStream) error {
	ctx := received(ss.Context())
	req := &request{ctx: ctx, method: m, server: s.name}
	stream := &serverStream{ServerStream: ss, ctx: ctx, req: req}
	return s.wrapped(func(ctx context.Context, _ server.Request, rsp any) error {
		stream.ctx = ctx
		// A wrapper may have put a stream of its own around ours.
		outer, ok := rsp.(server.Stream)
		if !ok {
			outer = stream
		}
		return call(m.fn, reflect.ValueOf(ctx), reflect.ValueOf(&outer).Elem())
	})(ctx, req, server.Stream(stream))
}

func call(fn reflect.Value, args ...reflect.Value) error {
	err, _ := fn.Call(args)[0].Interface().(error)
	return err
}

// wrapped puts the handler wrappers around fn, the first one outermost.
func (s *Server) wrapped(fn server.HandlerFunc) server.HandlerFunc {
	for i := len(s.wrappers) - 1; i >= 0; i-- {
		fn = s.wrappers[i](fn)
	}
	return fn
}

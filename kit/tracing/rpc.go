package tracing

import (
	"context"
	"log/slog"
	"strings"

	micro "github.com/go-micro/plugins/v4/wrapper/trace/opentracing"
	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"github.com/uber/jaeger-client-go"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc/metadata"

	"calotype/kit/fault"
	"calotype/kit/internal/ending"
	"calotype/kit/logging"
)

// The plugin's StartSpanFromContext does the joining and the metadata here. Its wrappers are not used: their spans carry no kind
// and no peer, and a client's stream ends as soon as it is open.

// NewClientWrapper traces calls: one span a call, whatever it took to make it; a stream's span ends when the stream does.
func NewClientWrapper(t opentracing.Tracer) client.Wrapper {
	return func(c client.Client) client.Client {
		if Off(t) {
			return c
		}
		return &tracedClient{Client: c, tracer: t}
	}
}

type tracedClient struct {
	client.Client
	tracer opentracing.Tracer
}

func (c *tracedClient) start(ctx context.Context, req client.Request) (context.Context, opentracing.Span, error) {
	ctx, sp, err := micro.StartSpanFromContext(ctx, c.tracer, operation(req.Method()),
		ext.SpanKindRPCClient, opentracing.Tag{Key: string(ext.PeerService), Value: req.Service()}, component)
	if err != nil {
		return ctx, nil, err
	}
	return known(ctx, sp), sp, nil
}

func (c *tracedClient) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	ctx, sp, err := c.start(ctx, req)
	if err != nil {
		return err
	}
	err = c.Client.Call(ctx, req, rsp, opts...)
	Finish(sp, err)
	return err
}

func (c *tracedClient) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	ctx, sp, err := c.start(ctx, req)
	if err != nil {
		return nil, err
	}
	s, err := c.Client.Stream(ctx, req, opts...)
	if err != nil {
		Finish(sp, err)
		return nil, err
	}
	return ending.Watch(s, func(err error) { Finish(sp, err) }), nil
}

// NewHandlerWrapper traces what a server answers; for a stream, until its handler returns.
func NewHandlerWrapper(t opentracing.Tracer) server.HandlerWrapper {
	return func(next server.HandlerFunc) server.HandlerFunc {
		if Off(t) {
			return next
		}
		return func(ctx context.Context, req server.Request, rsp any) error {
			ctx, sp, err := micro.StartSpanFromContext(ctx, t, operation(req.Method()), ext.SpanKindRPCServer, component)
			if err != nil {
				return err
			}
			defer sp.Finish() // a handler that panics has a span too
			if err = next(known(ctx, sp), req, rsp); err != nil {
				fail(sp, err, ours(err))
			}
			return err
		}
	}
}

// ours tells errors of the server from those of its caller, as OpenTelemetry's conventions for gRPC do for server spans.
func ours(err error) bool {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Unavailable, fault.Deadline:
		return true
	}
	return false
}

// Incoming makes a context's log lines name the trace that a call came with. Interceptors use it, which stand outside the handler's span.
func Incoming(ctx context.Context, t opentracing.Tracer) context.Context {
	md, ok := metadata.FromIncomingContext(ctx)
	if !ok || Off(t) {
		return ctx
	}
	c := opentracing.TextMapCarrier{}
	for _, k := range []string{jaegerHeader, w3cHeader} {
		if v := md.Get(k); len(v) == 1 {
			c[k] = v[0]
		}
	}
	if sc, err := t.Extract(opentracing.TextMap, c); err == nil {
		if j, ok := sc.(jaeger.SpanContext); ok {
			return logging.With(ctx, slog.String(logging.TraceID, j.TraceID().String()))
		}
	}
	return ctx
}

func operation(endpoint string) string { return strings.TrimPrefix(endpoint, "/") }

// component says which library speaks.
var component = opentracing.Tag{Key: string(ext.Component), Value: "go-micro"}

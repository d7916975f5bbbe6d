package tracing

import (
	"context"
	"log/slog"
	"strings"

	micro "github.com/go-micro/plugins/v4/wrapper/trace/opentracing"
	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"

	"calotype/kit/fault"
	"calotype/kit/internal/ending"
	"calotype/kit/internal/incoming"
	"calotype/kit/logging"
	"calotype/kit/rpc"
)

// The plugin's StartSpanFromContext does the joining and the metadata here. Its wrappers are not used: their spans carry no kind
// and no peer, and a client's stream ends as soon as it is open.

// agent is what a client says of itself that tells of every trace that is kept: calls without one belong to traces that are not. It
// is said once a connection; a header of its own would cost each call a tenth of its time.
const agent = "calotype-tracing/1"

// Client makes a client of kit/rpc trace its calls: NewClientWrapper, and servers are told that it does. It must be given to
// rpc.NewClient, before there are connections.
func Client(t opentracing.Tracer) client.Option {
	return func(o *client.Options) {
		if !Off(t) {
			rpc.Announce(agent)(o)
			client.Wrap(func(c client.Client) client.Client { return &tracedClient{Client: c, tracer: t, announced: true} })(o)
		}
	}
}

// NewClientWrapper traces calls: one span a call, whatever it took to make it; a stream's span ends when the stream does. Of a trace
// that is not kept there are no spans; its calls carry a traceparent that says so.
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
	tracer    opentracing.Tracer
	announced bool // the server knows by itself what a call without a trace means
}

// start gives no span for a trace that is not kept.
func (c *tracedClient) start(ctx context.Context, req client.Request) (context.Context, opentracing.Span, error) {
	name := operation(req.Method())
	opts, not := begins(ctx, c.tracer, name)
	if not != nil {
		if not.parent == "" && !c.announced {
			not = &unkept{parent: fresh()}
		}
		if not.parent != "" {
			ctx = not.send(ctx)
		}
		return ctx, nil, nil
	}
	ctx, sp, err := micro.StartSpanFromContext(ctx, c.tracer, name,
		append(opts, ext.SpanKindRPCClient, opentracing.Tag{Key: string(ext.PeerService), Value: req.Service()}, component)...)
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
	if sp != nil {
		Finish(sp, err)
	}
	return err
}

func (c *tracedClient) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	ctx, sp, err := c.start(ctx, req)
	if err != nil {
		return nil, err
	}
	s, err := c.Client.Stream(ctx, req, opts...)
	if sp == nil {
		return s, err
	}
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
			name := operation(req.Method())
			opts, not := begins(ctx, t, name)
			if not != nil {
				if not != &announced {
					ctx = context.WithValue(ctx, unkeptKey{}, not)
				}
				return next(not.known(ctx), req, rsp)
			}
			ctx, sp, err := micro.StartSpanFromContext(ctx, t, name, append(opts, ext.SpanKindRPCServer, component)...)
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
	if Off(t) {
		return ctx
	}
	md := incoming.MD(ctx)
	found, ok := contextOf(incoming.One(md, w3cHeader), incoming.One(md, jaegerHeader))
	if !ok {
		return ctx
	}
	id, _, _ := strings.Cut(found, ":")
	if len(id) == 32 {
		id = strings.TrimPrefix(id, "0000000000000000")
	}
	return logging.With(ctx, slog.String(logging.TraceID, id))
}

func operation(endpoint string) string { return strings.TrimPrefix(endpoint, "/") }

// component says which library speaks.
var component = opentracing.Tag{Key: string(ext.Component), Value: "go-micro"}

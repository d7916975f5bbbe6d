package tracing

import (
	"context"
	"log/slog"

	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"github.com/opentracing/opentracing-go/log"
	"github.com/uber/jaeger-client-go"

	"calotype/kit/fault"
	"calotype/kit/logging"
)

// Start begins a span within the context's, and gives the context that carries it. Log lines with that context name the trace. Of a
// trace that is not kept the span is none.
func Start(ctx context.Context, t opentracing.Tracer, name string, opts ...opentracing.StartSpanOption) (context.Context, opentracing.Span) {
	if parent := opentracing.SpanFromContext(ctx); parent != nil {
		opts = append(opts, opentracing.ChildOf(parent.Context()))
	} else if unkeptOf(ctx) != nil {
		return ctx, opentracing.NoopTracer{}.StartSpan(name)
	}
	sp := t.StartSpan(name, opts...)
	return known(opentracing.ContextWithSpan(ctx, sp), sp), sp
}

// known puts the span's ids into the context for logging.
func known(ctx context.Context, sp opentracing.Span) context.Context {
	sc, ok := sp.Context().(jaeger.SpanContext)
	if !ok {
		return ctx
	}
	return logging.With(ctx, slog.String(logging.TraceID, sc.TraceID().String()), slog.String(logging.SpanID, sc.SpanID().String()))
}

// Finish ends a span with the outcome of what it stands for.
func Finish(sp opentracing.Span, err error) {
	if err != nil {
		fail(sp, err, !fault.Is(err, fault.Canceled)) // leaving early is no failure
	}
	sp.Finish()
}

func fail(sp opentracing.Span, err error, isError bool) {
	sp.SetTag("fault.kind", fault.KindOf(err).String())
	if reason := fault.ReasonOf(err); reason != "" {
		sp.SetTag("fault.reason", reason)
	}
	if isError {
		ext.Error.Set(sp, true)
	}
	sp.LogFields(log.String("event", "error"), log.String("message", err.Error()))
}

// Carrier takes a trace, and the request id, through a queue: a handful of short texts to store beside the message.
type Carrier map[string]string

// Inject gives what a consumer needs to go on with the context's trace. It is empty, not nil, where there is none.
func Inject(ctx context.Context, t opentracing.Tracer) Carrier {
	c := Carrier{}
	if sp := opentracing.SpanFromContext(ctx); sp != nil {
		_ = t.Inject(sp.Context(), opentracing.TextMap, opentracing.TextMapCarrier(c)) // a map always takes it
	} else if u := unkeptOf(ctx); u != nil {
		if c[w3cHeader] = u.parent; u.parent == "" {
			c[w3cHeader] = fresh()
		}
	}
	if id := logging.Request(ctx); id != "" {
		c["x-request-id"] = id
	}
	return c
}

// StartConsumer begins the span of whoever took a message with carrier c from a queue: it follows from the producer's, and the
// context's lines carry the request's ids.
func StartConsumer(ctx context.Context, t opentracing.Tracer, name string, c Carrier, opts ...opentracing.StartSpanOption) (context.Context, opentracing.Span) {
	opts = append(opts, ext.SpanKindConsumer)
	if sc, err := t.Extract(opentracing.TextMap, opentracing.TextMapCarrier(c)); err == nil {
		opts = append(opts, opentracing.FollowsFrom(sc))
	}
	if id := c["x-request-id"]; id != "" {
		ctx = logging.With(ctx, slog.String(logging.RequestID, id))
	}
	sp := t.StartSpan(name, opts...)
	return known(opentracing.ContextWithSpan(ctx, sp), sp), sp
}

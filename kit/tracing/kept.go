package tracing

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"

	"github.com/opentracing/opentracing-go"
	"github.com/uber/jaeger-client-go"
	micrometa "go-micro.dev/v4/metadata"
	"google.golang.org/grpc/metadata"

	"calotype/kit/internal/incoming"
	"calotype/kit/logging"
)

// Of a hundred traces ninety-nine are not kept, and spans that nobody will see cost as much as those that are kept. So the sampler is
// asked first, where a trace begins; of a trace that is not kept no span is made anywhere, and no more is told of it than that.

// unkept is in the context of what belongs to a trace that is not kept.
type unkept struct {
	parent string // its traceparent, where it has ids
}

type unkeptKey struct{}

// begins tells how a span of this name would begin: with opts within a trace that is kept, or not at all.
func begins(ctx context.Context, t opentracing.Tracer, name string) (opts []opentracing.StartSpanOption, not *unkept) {
	if opentracing.SpanFromContext(ctx) != nil {
		return nil, nil
	}
	if u := unkeptOf(ctx); u != nil {
		return nil, u
	}
	if mine, ok := t.(*Tracer); ok && !arrived(ctx) {
		return mine.root(name)
	}
	return nil, nil
}

// unkeptOf finds that a context belongs to a trace that is not kept: because that was decided here, or by who called.
func unkeptOf(ctx context.Context) *unkept {
	if u, ok := ctx.Value(unkeptKey{}).(*unkept); ok {
		return u
	}
	md := incoming.MD(ctx)
	if md == nil {
		return nil
	}
	parent, uber := incoming.One(md, w3cHeader), incoming.One(md, jaegerHeader)
	if parent == "" && uber == "" {
		if strings.Contains(incoming.One(md, "user-agent"), agent) {
			return &announced
		}
		return nil
	}
	if found, ok := contextOf(parent, uber); ok && strings.HasSuffix(found, ":0") {
		return &unkept{parent: asW3C(found)}
	}
	return nil
}

var (
	announced unkept // by the caller's user agent: that is in the context anyway
	nameless  unkept // decided here
)

// arrived tells whether a trace came with the context, as go-micro's metadata.
func arrived(ctx context.Context) bool {
	md, ok := micrometa.FromContext(ctx)
	if !ok {
		return false
	}
	_, err := propagator{}.Extract(opentracing.TextMapCarrier(md))
	return err == nil
}

// root asks the sampler about a trace that begins here. Neither options nor an answer means that it cannot be asked before there is a
// span.
func (t *Tracer) root(name string) ([]opentracing.StartSpanOption, *unkept) {
	s := current(t.sampler)
	switch s.(type) {
	case *jaeger.ProbabilisticSampler, *jaeger.RateLimitingSampler, *jaeger.ConstSampler:
	default:
		return nil, nil
	}
	id := jaeger.TraceID{High: rand.Uint64(), Low: rand.Uint64() | 1}
	if keep, _ := s.IsSampled(id, name); keep {
		return []opentracing.StartSpanOption{jaeger.SelfRef(jaeger.NewSpanContext(id, jaeger.SpanID(id.Low), 0, true, nil))}, nil
	}
	if t.ids {
		return nil, &unkept{parent: fresh()}
	}
	return nil, &nameless
}

// current is what a remotely controlled sampler does at present.
func current(s jaeger.Sampler) jaeger.Sampler {
	if remote, ok := s.(*jaeger.RemotelyControlledSampler); ok {
		s, _ = remote.Sampler().(jaeger.Sampler)
	}
	return s
}

// decided is a sampler that is not asked twice about a trace which root has decided to keep, where that would count twice. The others
// say the same again, with their tags.
type decided struct {
	jaeger.SamplerV2
	jaeger.Sampler
}

func (d decided) Close() { d.Sampler.Close() }

func (d decided) OnCreateSpan(sp *jaeger.Span) jaeger.SamplingDecision {
	if _, counts := current(d.Sampler).(*jaeger.RateLimitingSampler); counts && sp.SpanContext().IsSampled() {
		return jaeger.SamplingDecision{Sample: true}
	}
	return d.SamplerV2.OnCreateSpan(sp)
}

// fresh is a trace of its own that is not kept.
func fresh() string {
	const hex = "0123456789abcdef"
	b := [55]byte{0: '0', 1: '0', 2: '-', 35: '-', 52: '-', 53: '0', 54: '0'}
	for i := 3; i < 52; {
		for r, n := rand.Uint64()|1, 0; n < 16; n++ {
			b[i] = hex[r&15]
			r >>= 4
			i++
		}
		if i == 35 {
			i++
		}
	}
	return string(b[:])
}

// send puts the trace into a call's metadata.
func (u *unkept) send(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, w3cHeader, u.parent)
}

// known makes the context's lines name the trace, where it has ids.
func (u *unkept) known(ctx context.Context) context.Context {
	if id := u.id(); id != "" && logging.Trace(ctx) != id {
		return logging.With(ctx, slog.String(logging.TraceID, id))
	}
	return ctx
}

// id is the trace's in Jaeger's form, which leaves out a first half of zeros.
func (u *unkept) id() string {
	if u.parent == "" {
		return ""
	}
	return strings.TrimPrefix(u.parent[3:35], "0000000000000000")
}

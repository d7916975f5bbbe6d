package tracing

import (
	"fmt"
	"strings"
	"sync"

	"github.com/opentracing/opentracing-go"
	"github.com/uber/jaeger-client-go"
)

const (
	jaegerHeader = "uber-trace-id"
	w3cHeader    = "traceparent"
	stateHeader  = "tracestate"
)

// propagator writes both forms of a trace context and reads either; where both came and differ, W3C's wins, because proxies that
// take part in a trace rewrite that one. Baggage does not travel: it would let a stranger put data into every call behind the
// gateway. Only tracestate is passed on, as the standard asks.
type propagator struct{}

func (propagator) Inject(sc jaeger.SpanContext, carrier any) error {
	w, ok := carrier.(opentracing.TextMapWriter)
	if !ok {
		return opentracing.ErrInvalidCarrier
	}
	flag := sampled(sc.IsSampled())
	w.Set(jaegerHeader, sc.TraceID().String()+":"+sc.SpanID().String()+":"+sc.ParentID().String()+":"+flag)
	w.Set(w3cHeader, "00-"+jaeger.SpanID(sc.TraceID().High).String()+jaeger.SpanID(sc.TraceID().Low).String()+"-"+sc.SpanID().String()+"-0"+flag)
	sc.ForeachBaggageItem(func(k, v string) bool {
		if k == stateHeader {
			w.Set(stateHeader, v)
		}
		return true
	})
	return nil
}

func (propagator) Extract(carrier any) (jaeger.SpanContext, error) {
	r, ok := carrier.(opentracing.TextMapReader)
	if !ok {
		return jaeger.SpanContext{}, opentracing.ErrInvalidCarrier
	}
	var uber, parent, state, from string
	err := r.ForeachKey(func(k, v string) error {
		switch strings.ToLower(k) {
		case jaegerHeader:
			uber = v
		case w3cHeader:
			parent = v
		case stateHeader:
			state = v
		case "user-agent":
			from = v
		}
		return nil
	})
	if err != nil {
		return jaeger.SpanContext{}, err
	}
	if _, ok := fromW3C(parent); !ok {
		state = "" // it belongs to a traceparent
	}
	found, ok := contextOf(parent, uber)
	if !ok && strings.Contains(from, agent) {
		found, ok = fromW3C(fresh())
	}
	if !ok {
		return jaeger.SpanContext{}, opentracing.ErrSpanContextNotFound
	}
	// Only jaeger's own propagator can mark a context as remote, without which the caller's sampling decision would not hold.
	given := opentracing.TextMapCarrier{jaegerHeader: found}
	if state != "" && len(state) <= 512 {
		given["uberctx-"+stateHeader] = state
	}
	return reader().Extract(given)
}

// reader is made once: making its metrics, which count nothing, costs more than the rest of a call.
var reader = sync.OnceValue(func() *jaeger.TextMapPropagator {
	return jaeger.NewTextMapPropagator(&jaeger.HeadersConfig{
		TraceContextHeaderName: jaegerHeader, TraceBaggageHeaderPrefix: "uberctx-",
		JaegerDebugHeader: "jaeger-debug-id", JaegerBaggageHeader: "jaeger-baggage",
	}, *jaeger.NewNullMetrics())
})

// contextOf gives what came in Jaeger's form.
func contextOf(parent, uber string) (string, bool) {
	if found, ok := fromW3C(parent); ok {
		return found, true
	}
	return fromJaeger(uber)
}

// asW3C gives a context in Jaeger's form, of a trace that is not kept, as a traceparent.
func asW3C(found string) string {
	sc, err := jaeger.ContextFromString(found)
	if err != nil {
		return fresh()
	}
	return "00-" + jaeger.SpanID(sc.TraceID().High).String() + jaeger.SpanID(sc.TraceID().Low).String() + "-" + sc.SpanID().String() + "-00"
}

// fromW3C turns a traceparent into Jaeger's form: version-trace-parent-flags, all in lower-case hex.
func fromW3C(s string) (string, bool) {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return "", false
	}
	version, trace, span, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if version == "ff" || version == "00" && len(s) != 55 || len(s) > 55 && s[55] != '-' {
		return "", false
	}
	if !isHex(version+trace+span+flags) || strings.Trim(trace, "0") == "" || strings.Trim(span, "0") == "" {
		return "", false
	}
	return trace + ":" + span + ":0:" + sampled(hexDigit(flags[1])&1 == 1), true
}

// fromJaeger checks an uber-trace-id and drops its debug flag, which would force every node to keep the trace.
func fromJaeger(s string) (string, bool) {
	if s == "" || len(s) > 96 {
		return "", false
	}
	sc, err := jaeger.ContextFromString(s)
	if err != nil || !sc.IsValid() {
		return "", false
	}
	return fmt.Sprintf("%s:%s:%s:%s", sc.TraceID(), sc.SpanID(), sc.ParentID(), sampled(sc.IsSampled())), true
}

func sampled(yes bool) string {
	if yes {
		return "1"
	}
	return "0"
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

func hexDigit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

package tracing

import (
	"strings"
	"testing"

	"github.com/opentracing/opentracing-go"
	"github.com/uber/jaeger-client-go"
)

const (
	trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	span  = "00f067aa0ba902b7"
)

func inMemory(sample bool) (*Tracer, *jaeger.InMemoryReporter) {
	r := jaeger.NewInMemoryReporter()
	return withReporter(Process{Service: "test", Version: "1", Node: "n"}, jaeger.NewConstSampler(sample), r, jaeger.NullLogger), r
}

func TestExtract(t *testing.T) {
	for name, c := range map[string]struct {
		in      map[string]string
		trace   string
		span    string
		sampled bool
		state   string
	}{
		"W3C":                    {in: map[string]string{"traceparent": "00-" + trace + "-" + span + "-01", "tracestate": "a=1"}, trace: trace, span: span, sampled: true, state: "a=1"},
		"W3C in go-micro's case": {in: map[string]string{"Traceparent": "00-" + trace + "-" + span + "-00"}, trace: trace, span: span},
		"W3C of the future":      {in: map[string]string{"traceparent": "01-" + trace + "-" + span + "-03-more"}, trace: trace, span: span, sampled: true},
		"Jaeger":                 {in: map[string]string{"uber-trace-id": trace + ":" + span + ":0:1"}, trace: trace, span: span, sampled: true},
		"Jaeger of 64 bits":      {in: map[string]string{"Uber-Trace-Id": "a3ce929d0e0e4736:1:0:0"}, trace: "a3ce929d0e0e4736", span: "0000000000000001"},
		"W3C wins":               {in: map[string]string{"traceparent": "00-" + trace + "-" + span + "-01", "uber-trace-id": "1:1:0:0"}, trace: trace, span: span, sampled: true},
		"broken W3C, sound Jaeger": {
			in:    map[string]string{"traceparent": "00-xyz", "tracestate": "a=1", "uber-trace-id": trace + ":" + span + ":0:1"},
			trace: trace, span: span, sampled: true,
		},
		"the debug flag is dropped": {in: map[string]string{"uber-trace-id": trace + ":" + span + ":0:3"}, trace: trace, span: span, sampled: true},
		"endless state":             {in: map[string]string{"traceparent": "00-" + trace + "-" + span + "-01", "tracestate": strings.Repeat("x", 513)}, trace: trace, span: span, sampled: true},
	} {
		t.Run(name, func(t *testing.T) {
			sc, err := propagator{}.Extract(opentracing.TextMapCarrier(c.in))
			if err != nil {
				t.Fatal(err)
			}
			var state string
			sc.ForeachBaggageItem(func(_, v string) bool { state += v; return true })
			if sc.TraceID().String() != c.trace || sc.SpanID().String() != c.span || sc.IsSampled() != c.sampled || sc.IsDebug() || state != c.state {
				t.Errorf("got %s, state %q", sc, state)
			}
		})
	}
}

func TestExtractRefuses(t *testing.T) {
	for _, in := range []map[string]string{
		nil,
		{"traceparent": "ff-" + trace + "-" + span + "-01"},
		{"traceparent": "00-" + trace + "-" + span + "-01-more"},
		{"traceparent": "00-" + strings.ToUpper(trace) + "-" + span + "-01"},
		{"traceparent": "00-00000000000000000000000000000000-" + span + "-01"},
		{"traceparent": "00-" + trace + "-0000000000000000-01"},
		{"traceparent": "00-" + trace + "-" + span + "-0g"},
		{"traceparent": "01-" + trace + "-" + span + "-01x"},
		{"uber-trace-id": "0:0:0:1"},
		{"uber-trace-id": "nonsense"},
		{"uber-trace-id": strings.Repeat("a", 200) + ":1:0:1"},
		{"jaeger-debug-id": "force-me"},
		{"uberctx-user": "root", "jaeger-baggage": "user=root"},
	} {
		if sc, err := (propagator{}).Extract(opentracing.TextMapCarrier(in)); err == nil {
			t.Errorf("%v gave %s", in, sc)
		}
	}
	if _, err := (propagator{}).Extract(7); err != opentracing.ErrInvalidCarrier {
		t.Errorf("a number as a carrier gave %v", err)
	}
}

func TestInject(t *testing.T) {
	for _, sample := range []bool{true, false} {
		tr, _ := inMemory(sample)
		sp := tr.StartSpan("x")
		sp.SetBaggageItem("user", "root")
		sp.SetBaggageItem("tracestate", "a=1")
		c := opentracing.TextMapCarrier{}
		if err := tr.Inject(sp.Context(), opentracing.TextMap, c); err != nil {
			t.Fatal(err)
		}
		sc := sp.Context().(jaeger.SpanContext)
		flag := "0"
		if sample {
			flag = "1"
		}
		want := map[string]string{
			"uber-trace-id": sc.TraceID().String() + ":" + sc.SpanID().String() + ":0000000000000000:" + flag,
			"traceparent":   "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-0" + flag,
			"tracestate":    "a=1",
		}
		if len(sc.TraceID().String()) != 32 || len(c) != len(want) {
			t.Errorf("sampled %v: %v", sample, c)
		}
		for k, v := range want {
			if c[k] != v {
				t.Errorf("sampled %v: %s is %q, want %q", sample, k, c[k], v)
			}
		}
		back, err := tr.Extract(opentracing.TextMap, c)
		if err != nil || back.(jaeger.SpanContext).SpanID() != sc.SpanID() {
			t.Errorf("it came back as %v, %v", back, err)
		}
	}
}

// The caller's decision holds, whatever the own sampler would say.
func TestTheCallersSamplingHolds(t *testing.T) {
	for flag, own := range map[string]bool{"00": true, "01": false} {
		tr, r := inMemory(own)
		sc, err := tr.Extract(opentracing.TextMap, opentracing.TextMapCarrier{"traceparent": "00-" + trace + "-" + span + "-" + flag})
		if err != nil {
			t.Fatal(err)
		}
		tr.StartSpan("x", opentracing.ChildOf(sc)).Finish()
		if got := r.SpansSubmitted(); got != int(flag[1]-'0') {
			t.Errorf("flags %s with an own sampler of %v: %d spans", flag, own, got)
		}
	}
}

package tracing

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	micro "github.com/go-micro/plugins/v4/wrapper/trace/opentracing"
	"github.com/opentracing/opentracing-go"
	"github.com/uber/jaeger-client-go"
	"go-micro.dev/v4/client"
	micrometa "go-micro.dev/v4/metadata"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"

	"calotype/kit/logging"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
)

// hop answers with the metadata that came, and relays a call that asks for it. Its own sampler would keep every trace.
type hop struct {
	spans *jaeger.InMemoryReporter
	next  greeterv1.GreeterService

	mu    sync.Mutex
	seen  []micrometa.Metadata
	lines []string
}

func (h *hop) Hello(ctx context.Context, in *greeterv1.HelloRequest, _ *greeterv1.HelloResponse) error {
	md, _ := micrometa.FromContext(ctx)
	h.mu.Lock()
	h.seen, h.lines = append(h.seen, md), append(h.lines, logging.Trace(ctx))
	h.mu.Unlock()
	_, sp := Start(ctx, h.tracer(), "inner")
	sp.SetTag("a", "b")
	sp.Finish()
	if in.Name == "relay" {
		_, err := h.next.Hello(ctx, &greeterv1.HelloRequest{})
		return err
	}
	return nil
}

func (h *hop) tracer() *Tracer {
	return withReporter(Process{Service: "test"}, jaeger.NewConstSampler(true), h.spans, jaeger.NullLogger)
}

func (h *hop) Greetings(context.Context, *greeterv1.GreetingsRequest, greeterv1.Greeter_GreetingsStream) error {
	return nil
}

type wiring struct {
	server func(opentracing.Tracer) server.HandlerWrapper
	client func(opentracing.Tracer) client.Option
}

var (
	announcing = wiring{NewHandlerWrapper, Client}
	wrapping   = wiring{NewHandlerWrapper, func(t opentracing.Tracer) client.Option { return client.Wrap(NewClientWrapper(t)) }}
	plugins    = wiring{
		func(t opentracing.Tracer) server.HandlerWrapper { return micro.NewHandlerWrapper(t) },
		func(t opentracing.Tracer) client.Option { return client.Wrap(micro.NewClientWrapper(t)) },
	}
)

// chain starts a hop whose tracer keeps everything that nobody decided on before, and a caller with a sampler of its own.
func chain(t *testing.T, caller *Tracer, first, then wiring) (*hop, greeterv1.GreeterService) {
	t.Helper()
	h := &hop{spans: jaeger.NewInMemoryReporter()}
	log, reg, all := slog.New(slog.DiscardHandler), registry.NewMemoryRegistry(), h.tracer()
	s, err := rpc.NewServer(rpc.ServerConfig{Log: log}, server.Name("hop"), server.Registry(reg), server.Address("127.0.0.1:0"),
		server.WrapHandler(then.server(all)))
	if err == nil {
		err = errors.Join(greeterv1.RegisterGreeterHandler(s, h), s.Start())
	}
	if err != nil {
		t.Fatal(err)
	}
	c := rpc.NewClient(rpc.ClientConfig{Log: log}, client.Registry(reg), first.client(caller))
	relay := rpc.NewClient(rpc.ClientConfig{Log: log}, client.Registry(reg), then.client(all))
	h.next = greeterv1.NewGreeterService("hop", relay)
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), relay.Close(), s.Stop()); err != nil {
			t.Error(err)
		}
	})
	return h, greeterv1.NewGreeterService("hop", c)
}

func never() *Tracer {
	return withReporter(Process{Service: "test"}, jaeger.NewConstSampler(false), jaeger.NewInMemoryReporter(), jaeger.NullLogger)
}

// What the one who begins a trace decides holds for everybody, whose samplers would decide otherwise, and whatever wrappers they use.
func TestATraceThatIsNotKeptIsNobodys(t *testing.T) {
	for name, c := range map[string]struct {
		first, then wiring
		header      bool
	}{
		"announced":              {announcing, announcing, false},
		"announced, then told":   {announcing, wrapping, false},
		"told":                   {wrapping, wrapping, true},
		"told, then announced":   {wrapping, announcing, true},
		"the plugins after ours": {announcing, plugins, true}, // they write into what the handler sees
		"ours after the plugins": {plugins, announcing, true},
	} {
		t.Run(name, func(t *testing.T) {
			h, greeter := chain(t, never(), c.first, c.then)
			if _, err := greeter.Hello(t.Context(), &greeterv1.HelloRequest{Name: "relay"}); err != nil {
				t.Fatal(err)
			}
			if n := h.spans.SpansSubmitted(); n != 0 || len(h.seen) != 2 {
				t.Errorf("%d spans of a trace that is not kept, in %d calls", n, len(h.seen))
			}
			if parent := h.seen[0]["Traceparent"]; (parent != "") != c.header || c.header && !strings.HasSuffix(parent, "-00") {
				t.Errorf("the first call told %q of its trace", parent)
			}
			if c.header {
				if a, b := h.seen[0]["Traceparent"], h.seen[1]["Traceparent"]; a[3:35] != b[3:35] || name != "the plugins after ours" && (h.lines[0] != a[3:35] || h.lines[1] != h.lines[0]) {
					t.Errorf("the trace is %q, then %q; in lines %q", a, b, h.lines)
				}
			}
		})
	}
}

// A client that says nothing of traces leaves the decision to the server.
func TestTheServerDecidesWhereNobodyDid(t *testing.T) {
	h, greeter := chain(t, never(), wiring{client: func(opentracing.Tracer) client.Option {
		return client.Wrap(func(c client.Client) client.Client { return c })
	}}, announcing)
	if _, err := greeter.Hello(t.Context(), &greeterv1.HelloRequest{Name: "relay"}); err != nil {
		t.Fatal(err)
	}
	if n := h.spans.SpansSubmitted(); n != 5 { // two calls answered, one made, two spans within
		t.Errorf("%d spans, want 5", n)
	}
}

func TestAShareIsKeptWhole(t *testing.T) {
	r := jaeger.NewInMemoryReporter()
	half, err := jaeger.NewProbabilisticSampler(0.5)
	if err != nil {
		t.Fatal(err)
	}
	h, greeter := chain(t, withReporter(Process{Service: "test"}, half, r, jaeger.NullLogger), announcing, announcing)
	for range 100 {
		if _, err := greeter.Hello(t.Context(), &greeterv1.HelloRequest{Name: "relay"}); err != nil {
			t.Fatal(err)
		}
	}
	kept := r.SpansSubmitted()
	if kept < 20 || kept > 80 || h.spans.SpansSubmitted() != 5*kept {
		t.Errorf("%d of 100 traces are kept by the caller, with %d spans behind it, want 5 each", kept, h.spans.SpansSubmitted())
	}
	for _, s := range r.GetSpans() {
		if sp := s.(*jaeger.Span); sp.Context().(jaeger.SpanContext).ParentID() != 0 || tag(sp, "span.kind") != "client" {
			t.Fatalf("a root is %v %v", sp, sp.Tags())
		}
	}
}

// A limit of traces a second must not be spent twice on one trace.
func TestALimitCountsATraceOnce(t *testing.T) {
	tr := withReporter(Process{Service: "test"}, jaeger.NewRateLimitingSampler(1), jaeger.NewInMemoryReporter(), jaeger.NullLogger)
	opts, not := tr.root("x")
	if not != nil {
		t.Fatal("the first trace is not kept")
	}
	if sp := tr.StartSpan("x", opts...); !sp.Context().(jaeger.SpanContext).IsSampled() {
		t.Error("what was decided does not hold")
	}
	if _, not := tr.root("x"); not == nil {
		t.Error("the second trace of the second is kept")
	}
}

func TestHTTPOfATraceThatIsNotKept(t *testing.T) {
	for name, sent := range map[string]string{"it begins here": "", "it came": "00-" + trace + "-" + span + "-00"} {
		t.Run(name, func(t *testing.T) {
			caller := never()
			h, greeter := chain(t, caller, announcing, announcing)
			var logged string
			var carried Carrier
			handler := HTTP(caller, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				logged, carried = logging.Trace(r.Context()), Inject(r.Context(), caller)
				if _, err := greeter.Hello(r.Context(), &greeterv1.HelloRequest{Name: "relay"}); err != nil {
					t.Error(err)
				}
			}))
			w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
			if sent != "" {
				req.Header.Set("traceparent", sent)
			}
			handler.ServeHTTP(w, req)
			id := w.Header().Get(TraceHeader)
			if len(id) != 32 || sent != "" && id != trace || logged != id || !strings.Contains(carried[w3cHeader], id) {
				t.Errorf("the trace is told as %q, logged as %q, carried as %q", id, logged, carried[w3cHeader])
			}
			if len(h.lines) != 2 || h.lines[0] != id || h.lines[1] != id || h.spans.SpansSubmitted() != 0 {
				t.Errorf("behind it are lines of %q and %d spans", h.lines, h.spans.SpansSubmitted())
			}
			_, consumer := StartConsumer(t.Context(), h.tracer(), "work", carried)
			consumer.Finish()
			if h.spans.SpansSubmitted() != 0 {
				t.Error("it is kept behind the queue")
			}
		})
	}
}

// "none" keeps nothing and names everything.
func TestNoneGivesIDs(t *testing.T) {
	tr, err := New(Config{Sampler: "none", Collector: DefaultConfig().Collector, Sampling: DefaultConfig().Sampling}, Process{Service: "x"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h, greeter := chain(t, tr, announcing, announcing)
	if _, err := greeter.Hello(t.Context(), &greeterv1.HelloRequest{Name: "relay"}); err != nil {
		t.Fatal(err)
	}
	if len(h.lines) != 2 || len(h.lines[0]) != 32 || h.lines[1] != h.lines[0] || h.spans.SpansSubmitted() != 0 {
		t.Errorf("lines of %q, %d spans", h.lines, h.spans.SpansSubmitted())
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFreshTracesAreSound(t *testing.T) {
	for range 1000 {
		parent := fresh()
		if found, ok := fromW3C(parent); !ok || !strings.HasSuffix(found, ":0") {
			t.Fatalf("%q gives %q", parent, found)
		}
	}
}

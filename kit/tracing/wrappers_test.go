package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/uber/jaeger-client-go"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"

	"calotype/kit/fault"
	"calotype/kit/logging"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
	storagev1 "calotype/proto/storage/v1"
)

// node is a server of both services, traced, that calls itself once when asked to.
type node struct {
	tracer  *Tracer
	spans   *jaeger.InMemoryReporter
	greeter greeterv1.GreeterService
	storage storagev1.StorageService
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{}
	n.tracer, n.spans = inMemory(true)
	log := slog.New(slog.DiscardHandler)
	reg := registry.NewMemoryRegistry()
	s, err := rpc.NewServer(rpc.ServerConfig{Log: log}, server.Name("node"), server.Registry(reg), server.Address("127.0.0.1:0"),
		server.WrapHandler(NewHandlerWrapper(n.tracer)))
	if err != nil {
		t.Fatal(err)
	}
	c := rpc.NewClient(rpc.ClientConfig{Log: log}, client.Registry(reg), client.Wrap(NewClientWrapper(n.tracer)))
	n.greeter, n.storage = greeterv1.NewGreeterService("node", c), storagev1.NewStorageService("node", c)
	if err := errors.Join(greeterv1.RegisterGreeterHandler(s, greeter{n}), storagev1.RegisterStorageHandler(s, storage{}), s.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), s.Stop()); err != nil {
			t.Error(err)
		}
	})
	return n
}

type greeter struct{ n *node }

func (g greeter) Hello(ctx context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	out.Message = logging.Trace(ctx)
	switch in.Name {
	case "nobody":
		return fault.New(fault.NotFound, "NOBODY", "there is nobody")
	case "broken":
		return errors.New("broken")
	case "panic":
		panic("oops")
	case "relay":
		_, err := g.n.greeter.Hello(ctx, &greeterv1.HelloRequest{})
		return err
	}
	return nil
}

func (g greeter) Greetings(ctx context.Context, in *greeterv1.GreetingsRequest, s greeterv1.Greeter_GreetingsStream) error {
	for i := range in.Count {
		if err := s.Send(&greeterv1.GreetingsResponse{Number: i, Message: logging.Trace(s.Context())}); err != nil {
			return err
		}
	}
	if in.Name == "endless" {
		<-ctx.Done()
		return ctx.Err()
	}
	if in.Name == "nobody" {
		return fault.New(fault.NotFound, "NOBODY", "there is nobody")
	}
	return nil
}

type storage struct{ storagev1.StorageHandler }

func (storage) Put(_ context.Context, s storagev1.Storage_PutStream) error {
	for {
		if _, err := s.Recv(); errors.Is(err, io.EOF) {
			return s.SendMsg(&storagev1.Blob{})
		} else if err != nil {
			return err
		}
	}
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for tick := time.NewTicker(time.Millisecond); !met(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// ended waits for n finished spans and gives the one of a kind and name.
func (n *node) ended(t *testing.T, count int) func(kind, name string) *jaeger.Span {
	t.Helper()
	until(t, fmt.Sprintf("%d spans to end", count), func() bool { return n.spans.SpansSubmitted() >= count })
	return func(kind, name string) *jaeger.Span {
		t.Helper()
		for _, s := range n.spans.GetSpans() {
			if sp := s.(*jaeger.Span); sp.OperationName() == name && tag(sp, "span.kind") == kind {
				return sp
			}
		}
		t.Fatalf("no %s span of %s", kind, name)
		return nil
	}
}

func tag(sp *jaeger.Span, key string) string {
	if v, ok := sp.Tags()[key]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

func TestOneTraceThroughEveryHop(t *testing.T) {
	n := newNode(t)
	ctx, root := Start(t.Context(), n.tracer, "root")
	out, err := n.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "relay"})
	if err != nil {
		t.Fatal(err)
	}
	root.Finish()
	find := n.ended(t, 5)
	rc := root.Context().(jaeger.SpanContext)
	parents := map[jaeger.SpanID]jaeger.SpanID{}
	for _, s := range n.spans.GetSpans() {
		sc := s.Context().(jaeger.SpanContext)
		if sc.TraceID() != rc.TraceID() {
			t.Errorf("a span of another trace: %v", s)
		}
		parents[sc.SpanID()] = sc.ParentID()
	}
	depth := 0
	for id := range parents {
		d := 0
		for at := id; at != 0 && d < 10; at = parents[at] {
			d++
		}
		depth = max(depth, d)
	}
	if depth != 5 || len(parents) != 5 {
		t.Errorf("%d spans, the deepest at %d; want a chain of 5", len(parents), depth)
	}
	if sp := find("client", "greeter.v1.Greeter/Hello"); tag(sp, "peer.service") != "node" || tag(sp, "component") != "go-micro" || tag(sp, "error") != "" {
		t.Errorf("the client's tags are %v", sp.Tags())
	}
	if out.Message != rc.TraceID().String() || logging.Trace(ctx) != out.Message {
		t.Errorf("the handler logs trace %q, the caller %q, of %s", out.Message, logging.Trace(ctx), rc.TraceID())
	}
}

func TestErrorsAreTagged(t *testing.T) {
	for _, c := range []struct{ name, kind, reason, server string }{
		{"nobody", "not_found", "NOBODY", ""}, // the server did what it should
		{"broken", "internal", "", "true"},
		{"panic", "internal", "", "-"},
	} {
		n := newNode(t)
		if _, err := n.greeter.Hello(t.Context(), &greeterv1.HelloRequest{Name: c.name}); err == nil {
			t.Fatalf("%s did not fail", c.name)
		}
		find := n.ended(t, 2)
		if sp := find("client", "greeter.v1.Greeter/Hello"); tag(sp, "error") != "true" || tag(sp, "fault.kind") != c.kind || tag(sp, "fault.reason") != c.reason {
			t.Errorf("%s: the client's tags are %v", c.name, sp.Tags())
		}
		if sp := find("server", "greeter.v1.Greeter/Hello"); c.server != "-" && (tag(sp, "error") != c.server || tag(sp, "fault.kind") != c.kind) {
			t.Errorf("%s: the server's tags are %v", c.name, sp.Tags())
		}
	}
}

func TestStreamSpansEndWithTheStream(t *testing.T) {
	n := newNode(t)
	s, err := n.greeter.Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m, err := s.Recv()
		if err != nil || len(m.Message) != 32 {
			t.Fatalf("%v, %v", m, err)
		}
	}
	for _, sp := range n.spans.GetSpans() {
		if tag(sp.(*jaeger.Span), "span.kind") == "client" {
			t.Error("the client's span ended before the stream")
		}
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if sp := n.ended(t, 2)("client", "greeter.v1.Greeter/Greetings"); tag(sp, "error") != "" {
		t.Errorf("a clean end is tagged %v", sp.Tags())
	}
}

func TestFailedAndAbandonedStreams(t *testing.T) {
	n := newNode(t)
	s, err := n.greeter.Greetings(t.Context(), &greeterv1.GreetingsRequest{Name: "nobody", Count: 1})
	for err == nil {
		_, err = s.Recv()
	}
	if sp := n.ended(t, 2)("client", "greeter.v1.Greeter/Greetings"); tag(sp, "error") != "true" || tag(sp, "fault.kind") != "not_found" {
		t.Errorf("a failed stream is tagged %v", sp.Tags())
	}
	n.spans.Reset()
	ctx, cancel := context.WithCancel(t.Context())
	if s, err = n.greeter.Greetings(ctx, &greeterv1.GreetingsRequest{Name: "endless", Count: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel() // and never read again
	if sp := n.ended(t, 2)("client", "greeter.v1.Greeter/Greetings"); tag(sp, "error") != "" || tag(sp, "fault.kind") != "canceled" {
		t.Errorf("an abandoned stream is tagged %v", sp.Tags())
	}
}

func TestClientStreamsEndWithTheirOneAnswer(t *testing.T) {
	n := newNode(t)
	s, err := n.storage.Put(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Send(&storagev1.PutRequest{}), s.CloseSend(), s.RecvMsg(&storagev1.Blob{})); err != nil {
		t.Fatal(err)
	}
	if sp := n.ended(t, 2)("client", "storage.v1.Storage/Put"); tag(sp, "error") != "" {
		t.Errorf("tagged %v", sp.Tags())
	}
}

func TestOffCostsNothing(t *testing.T) {
	off, err := New(DefaultConfig(), Process{Service: "x"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := rpc.NewClient(rpc.ClientConfig{})
	defer c.Close()
	if !Off(off) || NewClientWrapper(off)(c) != client.Client(c) {
		t.Error("a tracer that is off still wraps")
	}
	if err := off.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if c := Inject(logging.With(t.Context(), slog.String(logging.RequestID, "r-1")), off); len(c) != 1 || c["x-request-id"] != "r-1" {
		t.Errorf("without a trace the carrier is %v", c)
	}
}

func TestHTTP(t *testing.T) {
	tr, r := inMemory(true)
	mux := http.NewServeMux()
	var seen string
	mux.HandleFunc("GET /v1/images/{id}", func(w http.ResponseWriter, r *http.Request) {
		seen = logging.Trace(r.Context())
		if _, ok := w.(http.Flusher); !ok {
			t.Error("the writer cannot flush any more")
		}
		if r.PathValue("id") == "broken" {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	h := HTTP(tr, nil, mux)
	for i, c := range []struct{ path, name, status, failed string }{
		{"/v1/images/1?sig=secret", "HTTP GET /v1/images/{id}", "200", ""},
		{"/v1/images/broken", "HTTP GET /v1/images/{id}", "502", "true"},
		{"/nowhere", "HTTP GET", "404", ""},
	} {
		w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, c.path, nil)
		req.Header.Set("traceparent", "00-"+trace+"-"+span+"-01")
		h.ServeHTTP(w, req)
		sp := r.GetSpans()[i].(*jaeger.Span)
		if sp.OperationName() != c.name || tag(sp, "http.status_code") != c.status || tag(sp, "error") != c.failed || tag(sp, "span.kind") != "server" ||
			strings.Contains(tag(sp, "http.url"), "secret") {
			t.Errorf("%s: %s %v", c.path, sp.OperationName(), sp.Tags())
		}
		if w.Header().Get(TraceHeader) != trace || seen != trace || sp.Context().(jaeger.SpanContext).ParentID().String() != span {
			t.Errorf("%s: the trace is told as %q, logged as %q", c.path, w.Header().Get(TraceHeader), seen)
		}
	}
}

func TestATraceGoesThroughAQueue(t *testing.T) {
	tr, r := inMemory(true)
	ctx, producer := Start(logging.With(t.Context(), slog.String(logging.RequestID, "request-1")), tr, "publish")
	c := Inject(ctx, tr)
	producer.Finish()
	ctx, consumer := StartConsumer(t.Context(), tr, "work", c)
	Finish(consumer, fault.New(fault.Unavailable, "AWAY", "storage is away"))
	a, b := producer.Context().(jaeger.SpanContext), consumer.Context().(jaeger.SpanContext)
	if a.TraceID() != b.TraceID() || b.ParentID() != a.SpanID() {
		t.Errorf("%v is not followed by %v", a, b)
	}
	sp := r.GetSpans()[1].(*jaeger.Span)
	if refs := sp.References(); len(refs) != 1 || refs[0].Type != opentracing.FollowsFromRef || tag(sp, "span.kind") != "consumer" || tag(sp, "fault.reason") != "AWAY" {
		t.Errorf("the consumer's span is %v %v", refs, sp.Tags())
	}
	if logging.Request(ctx) != "request-1" || logging.Trace(ctx) != a.TraceID().String() {
		t.Error("the consumer's lines do not name the request")
	}
	_, alone := StartConsumer(t.Context(), tr, "work", Carrier{"traceparent": "nonsense"})
	if alone.Context().(jaeger.SpanContext).ParentID() != 0 {
		t.Error("a broken carrier gave a parent")
	}
}

// collector takes spans, or hangs.
func collector(t *testing.T, hang bool) (string, *atomic.Int64) {
	var got atomic.Int64
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if hang {
			<-stop
			return
		}
		b, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/api/traces" && bytes.Contains(b, []byte("calotype-x")) {
			got.Add(1)
		}
	}))
	t.Cleanup(func() { close(stop); s.Close() })
	return s.URL + "/api/traces", &got
}

func TestCloseSendsTheLastSpans(t *testing.T) {
	url, got := collector(t, false)
	for _, sampler := range []string{"all", "probabilistic", "ratelimiting"} {
		got.Store(0)
		tr, err := New(Config{Sampler: sampler, Param: 1, Collector: url, Sampling: url}, Process{Service: "calotype-x"}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		tr.StartSpan("x").Finish()
		if err := tr.Close(t.Context()); err != nil || got.Load() != 1 {
			t.Errorf("%s: %d batches arrived, %v", sampler, got.Load(), err)
		}
	}
}

func TestTheRemoteSamplerIsAskedAtOnce(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("service") == "calotype-x" {
			_, _ = io.WriteString(w, `{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":1}}`)
		}
	}))
	defer s.Close()
	tr, err := New(Config{Sampler: "remote", Param: 0, Collector: s.URL, Sampling: s.URL}, Process{Service: "calotype-x"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the server's strategy to be followed", func() bool { return tr.StartSpan("x").Context().(jaeger.SpanContext).IsSampled() })
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseDoesNotWaitForACollectorThatHangs(t *testing.T) {
	url, _ := collector(t, true)
	tr, err := New(Config{Sampler: "all", Collector: url, Sampling: url}, Process{Service: "calotype-x"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tr.StartSpan("x").Finish()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := tr.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestValidate(t *testing.T) {
	if fs := DefaultConfig().Validate(); fs != nil {
		t.Errorf("the defaults are wrong: %v", fs)
	}
	good := DefaultConfig()
	for _, change := range []func(*Config){
		func(c *Config) { c.Sampler = "some" },
		func(c *Config) { c.Sampler, c.Param = "probabilistic", 1.1 },
		func(c *Config) { c.Sampler, c.Param = "ratelimiting", 0 },
		func(c *Config) { c.Sampler, c.Collector = "all", "jaeger:14268" },
		func(c *Config) { c.Sampler, c.Sampling = "remote", "" },
	} {
		c := good
		change(&c)
		if fs := c.Validate(); len(fs) != 1 {
			t.Errorf("%+v: %v", c, fs)
		}
		if _, err := New(c, Process{}, nil); fault.ReasonOf(err) != "BAD_CONFIG" {
			t.Errorf("%+v: New gave %v", c, err)
		}
	}
}

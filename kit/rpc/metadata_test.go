package rpc_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-micro/plugins/v4/wrapper/trace/opentracing"
	"github.com/opentracing/opentracing-go/mocktracer"
	"go-micro.dev/v4/client"
	micrometa "go-micro.dev/v4/metadata"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

// TestMetadataStopsAtTheHandler calls through a handler that calls on with its own context.
func TestMetadataStopsAtTheHandler(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var mu sync.Mutex
	var last metadata.MD
	serve(t, reg, "back", "b", greets(&greeter{hook: func(ctx context.Context, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		last, _ = metadata.FromIncomingContext(ctx)
		return nil
	}}))
	c := clientWith(t, rpc.ClientConfig{Log: quiet(), Forward: []string{"X-Tenant"}}, reg, client.Wrap(func(next client.Client) client.Client {
		return stamping{next}
	}))
	back := greeterv1.NewGreeterService("back", c)
	serve(t, reg, "front", "f", greets(&greeter{hook: func(ctx context.Context, _ string) error {
		if v, ok := micrometa.Get(ctx, "Authorization"); !ok || v != "Bearer secret" {
			t.Errorf("the handler itself sees Authorization %q", v)
		}
		ctx = micrometa.Set(ctx, "X-Said-Here", "1")
		_, err := back.Hello(ctx, &greeterv1.HelloRequest{}, rpc.WithMetadata("x-insisted", "authorized"))
		return err
	}}))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer secret", "cookie", "a=b", "x-request-id", "r1",
		"traceparent", "00-x", "x-tenant", "t1", "x-stamp", "set by the wrapper")
	if _, err := greeterv1.NewGreeterService("front", newClient(t, reg)).Hello(ctx, &greeterv1.HelloRequest{}); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for k, want := range map[string]string{"authorization": "", "cookie": "", "x-request-id": "r1", "traceparent": "00-x", "x-tenant": "t1",
		"x-said-here": "1", "x-insisted": "authorized", "x-stamp": "set by the wrapper"} {
		got := ""
		if v := last.Get(k); len(v) > 0 {
			got = v[0]
		}
		if got != want {
			t.Errorf("%s arrived as %q, want %q", k, got, want)
		}
	}
}

// stamping sets metadata in a call, the same that came in: it must go out all the same.
type stamping struct{ client.Client }

func (s stamping) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	return s.Client.Call(micrometa.Set(ctx, "X-Stamp", "set by the wrapper"), req, rsp, opts...)
}

func TestSpansLinkClientAndServer(t *testing.T) {
	tracer := mocktracer.New()
	reg := registry.NewMemoryRegistry()
	wrapped := server.WrapHandler(opentracing.NewHandlerWrapper(tracer))
	c := newClient(t, reg, client.Wrap(opentracing.NewClientWrapper(tracer)))
	serve(t, reg, "back", "b", greets(&greeter{}), wrapped)
	serve(t, reg, "front", "f", greets(&greeter{hook: func(ctx context.Context, _ string) error {
		_, err := greeterv1.NewGreeterService("back", c).Hello(ctx, &greeterv1.HelloRequest{})
		return err
	}}), wrapped)
	front := greeterv1.NewGreeterService("front", c)
	conn := greeterv1.NewGreeterClient(c.Conn("front"))
	for name, call := range map[string]func() error{
		"unary": func() error {
			_, err := front.Hello(t.Context(), &greeterv1.HelloRequest{})
			return err
		},
		"stream": func() error {
			s, err := front.Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 1})
			if err != nil {
				return err
			}
			return drainStream(s.RecvMsg)
		},
		"unary on Conn": func() error {
			_, err := conn.Hello(t.Context(), &greeterv1.HelloRequest{})
			return err
		},
		"stream on Conn": func() error {
			s, err := conn.Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 1})
			if err != nil {
				return err
			}
			return drainStream(s.RecvMsg)
		},
	} {
		tracer.Reset()
		if err := call(); err != nil {
			t.Fatal(name, err)
		}
		// client -> front -> client -> back, each the parent of the next.
		eventually(t, name+": four spans", func() bool { return len(tracer.FinishedSpans()) == 4 })
		children := map[int]*mocktracer.MockSpan{}
		for _, s := range tracer.FinishedSpans() {
			children[s.ParentID] = s
		}
		depth := 0
		for id := 0; children[id] != nil; id = children[id].SpanContext.SpanID {
			depth++
		}
		if depth != 4 {
			t.Errorf("%s: the chain of spans is %d long, want 4: %v", name, depth, tracer.FinishedSpans())
		}
	}
}

func TestWhatWrappersSee(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var mu sync.Mutex
	seen := map[string]int{}
	see := func(side string, r interface {
		Service() string
		Method() string
		Endpoint() string
		Stream() bool
	}) {
		mu.Lock()
		defer mu.Unlock()
		kind := "unary"
		if r.Stream() {
			kind = "stream"
		}
		seen[side+" "+r.Service()+" "+r.Method()+" "+r.Endpoint()+" "+kind]++
	}
	serve(t, reg, proto.Greeter, "a", greets(&greeter{}), server.WrapHandler(func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			see("server", req)
			if req.Header()["User-Agent"] == "" {
				t.Error("the request has no headers")
			}
			return next(ctx, req, rsp)
		}
	}))
	c := newClient(t, reg, client.WrapCall(func(next client.CallFunc) client.CallFunc {
		return func(ctx context.Context, n *registry.Node, req client.Request, rsp any, o client.CallOptions) error {
			see("call", req)
			if n.Id != proto.Greeter+"-a" {
				t.Errorf("node is %q", n.Id)
			}
			return next(ctx, n, req, rsp, o)
		}
	}))
	g := greeterv1.NewGreeterService(proto.Greeter, c)
	if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}); err != nil {
		t.Fatal(err)
	}
	s, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := drainStream(s.RecvMsg); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{
		"server calotype-greeter /greeter.v1.Greeter/Hello Greeter.Hello unary",
		"server calotype-greeter /greeter.v1.Greeter/Greetings Greeter.Greetings stream",
		"call calotype-greeter /greeter.v1.Greeter/Hello Greeter.Hello unary",
		"call calotype-greeter /greeter.v1.Greeter/Greetings Greeter.Greetings stream",
	} {
		if seen[want] != 1 {
			t.Errorf("%q was seen %d times, want once: %v", want, seen[want], seen)
		}
	}
}

// TestConnKeepsBothOptions calls through a grpc-go stub that wants the header, under a wrapper that adds an option.
func TestConnKeepsBothOptions(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var priority atomic.Value
	serve(t, reg, proto.Greeter, "a", greets(&greeter{hook: func(ctx context.Context, _ string) error {
		priority.Store(strings.Join(metadata.ValueFromIncomingContext(ctx, rpc.PriorityKey), ","))
		return grpc.SetHeader(ctx, metadata.Pairs("x-answer", "yes"))
	}}))
	c := newClient(t, reg, client.Wrap(func(c client.Client) client.Client { return bulky{c} }))
	var header metadata.MD
	_, err := greeterv1.NewGreeterClient(c.Conn(proto.Greeter)).Hello(t.Context(), &greeterv1.HelloRequest{}, grpc.Header(&header))
	if err != nil || strings.Join(header.Get("x-answer"), ",") != "yes" || priority.Load() != string(rpc.Bulk) {
		t.Errorf("header %v, priority %v, %v", header, priority.Load(), err)
	}
}

type bulky struct{ client.Client }

func (b bulky) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	return b.Client.Call(ctx, req, rsp, append(opts, rpc.WithPriority(rpc.Bulk))...)
}

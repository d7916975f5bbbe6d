package rpc_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

func TestHedge(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var asked, left atomic.Int64
	hang := func(ctx context.Context, name string) error {
		// Whoever is asked first hangs, whichever node that is.
		if asked.Add(1)%2 == 1 && name == "hang" {
			<-ctx.Done()
			left.Add(1)
			return ctx.Err()
		}
		if name == "fail" {
			return fault.New(fault.NotFound, "GONE", "it is gone")
		}
		return nil
	}
	for _, id := range []string{"a", "b"} {
		serve(t, reg, proto.Greeter, id, greets(&greeter{id: id, hook: hang}))
	}
	var hedges atomic.Int64
	c := clientWith(t, rpc.ClientConfig{Log: quiet(), Observe: func(_ string, e rpc.Event) {
		if e == rpc.EventHedge {
			hedges.Add(1)
		}
	}}, reg)
	g := greeterv1.NewGreeterService(proto.Greeter, c)
	call := func(name string, opts ...client.CallOption) (*greeterv1.HelloResponse, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return g.Hello(ctx, &greeterv1.HelloRequest{Name: name}, opts...)
	}
	// Both nodes have a connection: without one there is nobody to hedge with.
	eventually(t, "both answer", func() bool {
		seen := map[string]bool{}
		for range 8 {
			r, err := call("", rpc.WithRoundRobin())
			seen[r.GetNode().GetId()] = err == nil
		}
		return len(seen) == 2
	})
	asked.Store(0)
	r, err := call("hang", rpc.WithHedge(5*time.Millisecond))
	if err != nil || r.GetMessage() != "Hello, hang" || hedges.Load() != 1 || asked.Load() != 2 {
		t.Errorf("a slow first answer: %v, %v; %d hedges, %d calls", r, err, hedges.Load(), asked.Load())
	}
	eventually(t, "the slow one is told to stop", func() bool { return left.Load() == 1 })

	asked.Store(1)
	if _, err := call("hang", rpc.WithHedge(time.Minute)); err != nil || hedges.Load() != 1 || asked.Load() != 2 {
		t.Errorf("a quick answer: %v; %d hedges, %d calls", err, hedges.Load(), asked.Load())
	}
	asked.Store(1)
	if _, err := call("fail", rpc.WithHedge(time.Minute)); fault.ReasonOf(err) != "GONE" {
		t.Errorf("an error of the application: %v", err)
	}
	var md metadata.MD
	asked.Store(1)
	if _, err := call("x", rpc.WithHedge(time.Nanosecond), rpc.WithHeader(&md)); err != nil || hedges.Load() != 1 {
		t.Errorf("with a header to write to: %v; %d hedges", err, hedges.Load())
	}
}

// TestHedgeNeedsAPermission makes a slow call that must not be repeated.
func TestHedgeNeedsAPermission(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var ran atomic.Int64
	for _, id := range []string{"a", "b"} {
		serve(t, reg, "echo", id, echoes(&Echo{appended: func(string) { ran.Add(1) }}))
	}
	c := newClient(t, reg)
	for range 20 {
		req := c.NewRequest("echo", "/rpctest.v1.Echo/Append", wrapperspb.String("x"))
		if err := c.Call(t.Context(), req, &wrapperspb.StringValue{}, rpc.WithHedge(time.Nanosecond)); err != nil {
			t.Fatal(err)
		}
	}
	if ran.Load() != 20 {
		t.Errorf("20 calls ran %d times", ran.Load())
	}
}

// TestMarginOnTheWay lets a handler call another service: what it calls has less time than itself.
func TestMarginOnTheWay(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var called time.Time
	c := newClient(t, reg, client.WrapCall(func(next client.CallFunc) client.CallFunc {
		return func(ctx context.Context, n *registry.Node, req client.Request, rsp any, o client.CallOptions) error {
			called, _ = ctx.Deadline()
			return next(ctx, n, req, rsp, o)
		}
	}))
	g := greeterv1.NewGreeterService("last", c)
	serve(t, reg, "first", "a", greets(&greeter{hook: func(ctx context.Context, _ string) error {
		given, _ := ctx.Deadline()
		_, err := g.Hello(ctx, &greeterv1.HelloRequest{})
		if d := given.Sub(called); d <= 0 || d > 20*time.Millisecond {
			t.Errorf("of a deadline %v away the call keeps %v", time.Until(given), d)
		}
		stream, serr := g.Greetings(ctx, &greeterv1.GreetingsRequest{})
		if serr == nil {
			if end, ok := stream.Context().Deadline(); !ok || !end.Before(given) {
				t.Error("the stream has as much time as its caller")
			}
			_ = stream.Close()
		}
		return errors.Join(err, serr)
	}}))
	serve(t, reg, "last", "b", greets(&greeter{}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := greeterv1.NewGreeterService("first", newClient(t, reg)).Hello(ctx, &greeterv1.HelloRequest{}); err != nil {
		t.Fatal(err)
	}
}

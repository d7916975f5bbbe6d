package rpc_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

// TestSheddingStreams fills a server with streams that last: each priority gets as far as it may, and unary calls go on.
func TestSheddingStreams(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	finish := make(chan struct{})
	hold := func(ctx context.Context, name string) error {
		if name == "hold" {
			select {
			case <-finish:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	var turned atomic.Int64
	cfg := rpc.ServerConfig{Log: quiet(), Shedding: rpc.Shedding{Min: 1, Max: 1, Streams: 10}, Observe: func(method string, p rpc.Priority) {
		if method == "/greeter.v1.Greeter/Greetings" && p != "" {
			turned.Add(1)
		}
	}}
	full := serveWith(t, cfg, reg, proto.Greeter, "full", greets(&greeter{id: "full", hook: hold}))
	c := newClient(t, reg)
	g := greeterv1.NewGreeterService(proto.Greeter, c)
	// open tells whether a stream was let in: those held wait for their first message, the others get it.
	open := func(name string, p rpc.Priority) error {
		s, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Name: name, Count: 1}, rpc.WithPriority(p))
		if err != nil || name == "hold" {
			return err
		}
		for err == nil {
			_, err = s.Recv()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	held := 0
	fill := func(to int, p rpc.Priority) {
		t.Helper()
		for held < to {
			if err := open("hold", p); err != nil {
				t.Fatal(err)
			}
			held++
			eventually(t, "it is open", func() bool { return full.Running() == held })
		}
	}
	refused := func(p rpc.Priority) {
		t.Helper()
		err := open("brief", p)
		if f := fault.As(err); fault.ReasonOf(err) != rpc.ReasonOverloaded || f.Kind != fault.Unavailable || f.RetryAfter < 400*time.Millisecond {
			t.Errorf("with %d of 10 streams open another %s one: %v", held, p, err)
		}
	}
	fill(8, rpc.Bulk)
	refused(rpc.Bulk)
	fill(9, rpc.Normal)
	refused(rpc.Normal)
	fill(10, rpc.Interactive)
	refused(rpc.Interactive)
	if n := turned.Load(); n != 3 {
		t.Errorf("%d streams were counted as turned away, want 3", n)
	}
	for range 5 {
		if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}); err != nil {
			t.Errorf("a unary call beside streams that fill the server: %v", err)
		}
	}
	watching, cancel := context.WithCancel(t.Context())
	health, err := healthpb.NewHealthClient(dial(t, full.Addr())).Watch(watching, &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = health.Recv()
	}
	if err != nil {
		t.Errorf("watching the health of a full server: %v", err)
	}
	cancel()

	// Where there is another node, the stream opens there.
	serve(t, reg, proto.Greeter, "idle", greets(&greeter{id: "idle"}))
	eventually(t, "the client knows both", func() bool {
		r, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}, rpc.WithRoundRobin())
		return err == nil && r.GetNode().GetId() == "idle"
	})
	for range 10 {
		if err := open("brief", rpc.Normal); err != nil {
			t.Errorf("with room on another node: %v", err)
		}
	}
	close(finish)
	eventually(t, "the streams have ended", func() bool { return open("brief", rpc.Bulk) == nil && full.Running() == 0 })
}

// TestBusyNodes has a handler say when to come again, as a service does that bounds what it does itself.
func TestBusyNodes(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var asked atomic.Int64
	busy := fault.New(fault.Unavailable, "NODE_BUSY", "every slot is taken")
	busy.RetryAfter = time.Minute
	serve(t, reg, proto.Greeter, "busy", greets(&greeter{id: "busy", hook: func(context.Context, string) error {
		asked.Add(1)
		return busy
	}}))
	var mu sync.Mutex
	var events []rpc.Event
	c := clientWith(t, rpc.ClientConfig{Log: quiet(), Observe: func(_ string, e rpc.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}}, reg)
	g := greeterv1.NewGreeterService(proto.Greeter, c)
	// Alone it is the caller who must wait: a client that did would keep its own caller waiting.
	for i := range 10 {
		before := asked.Load()
		var err error
		if i%2 == 0 {
			_, err = g.Hello(t.Context(), &greeterv1.HelloRequest{})
		} else {
			var s greeterv1.Greeter_GreetingsService
			if s, err = g.Greetings(t.Context(), &greeterv1.GreetingsRequest{}); err == nil {
				_, err = s.Recv()
			}
		}
		if f := fault.As(err); f == nil || f.Reason != "NODE_BUSY" || f.RetryAfter != time.Minute {
			t.Errorf("the only node is busy, and the caller got %v", err)
		}
		if n := asked.Load() - before; n != 1 {
			t.Errorf("the only node was asked %d times", n)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(events) > 0 {
		t.Errorf("a busy node is none that fails: %v", events)
	}
}

// TestABusyNodeIsLeftAlone has one of two nodes turn everything away, as quickly as such nodes do: it must not look like the one with the
// least to do, and draw more calls than may be repeated.
func TestABusyNodeIsLeftAlone(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	busy := fault.New(fault.Unavailable, "NODE_BUSY", "every slot is taken")
	busy.RetryAfter = time.Second
	var full atomic.Bool
	var asked atomic.Int64
	serve(t, reg, proto.Greeter, "busy", greets(&greeter{id: "busy", hook: func(context.Context, string) error {
		if full.Load() {
			asked.Add(1)
			return busy
		}
		return nil
	}}))
	serve(t, reg, proto.Greeter, "idle", greets(&greeter{id: "idle"}))
	g := greeterv1.NewGreeterService(proto.Greeter, newClient(t, reg))
	both := map[string]bool{}
	eventually(t, "both answer", func() bool {
		r, err := g.Hello(t.Context(), &greeterv1.HelloRequest{})
		both[r.GetNode().GetId()] = err == nil
		return both["busy"] && both["idle"]
	})
	full.Store(true)
	const calls = 2000
	failed := 0
	for range calls {
		if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}); err != nil {
			failed++
		}
	}
	t.Logf("of %d calls the busy node was asked %d times; %d failed", calls, asked.Load(), failed)
	if failed > 0 {
		t.Errorf("%d of %d calls failed although a node had room", failed, calls)
	}
}

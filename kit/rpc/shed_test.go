package rpc_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/registry"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

// TestShedding fills a server with calls that do not end: what each priority may still do is exact then.
func TestShedding(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	var running, turned atomic.Int64
	finish := make(chan struct{})
	cfg := rpc.ServerConfig{Log: quiet(), Shedding: rpc.Shedding{Min: 5, Max: 10, Wait: time.Minute}, Observe: func(method string, p rpc.Priority) {
		if method == "/greeter.v1.Greeter/Hello" && p != "" {
			turned.Add(1)
		}
	}}
	s := serveWith(t, cfg, reg, proto.Greeter, "a", greets(&greeter{hook: func(_ context.Context, name string) error {
		if name == "hold" {
			running.Add(1)
			defer running.Add(-1)
			<-finish
		}
		return nil
	}}))
	g := greeterv1.NewGreeterService(proto.Greeter, newClient(t, reg))
	var held sync.WaitGroup
	hold := func(n int, p rpc.Priority) {
		for range n {
			held.Go(func() {
				if _, err := g.Hello(context.Background(), &greeterv1.HelloRequest{Name: "hold"}, rpc.WithPriority(p)); err != nil {
					t.Errorf("a %s call that was admitted failed: %v", p, err)
				}
			})
		}
	}
	ask := func(p rpc.Priority) error {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := g.Hello(ctx, &greeterv1.HelloRequest{}, rpc.WithPriority(p))
		if f := fault.As(err); f != nil && f.Reason == rpc.ReasonOverloaded {
			if f.Kind != fault.Unavailable || f.RetryAfter < 400*time.Millisecond {
				t.Errorf("turned away as %+v", f)
			}
		}
		return err
	}
	// The limit begins at 10, of which the tenth is not for bulk.
	hold(9, rpc.Normal)
	eventually(t, "nine run", func() bool { return running.Load() == 9 })
	if err := ask(rpc.Bulk); fault.ReasonOf(err) != rpc.ReasonOverloaded {
		t.Errorf("bulk: %v", err)
	}
	hold(1, rpc.Normal)
	eventually(t, "ten run", func() bool { return running.Load() == 10 })
	// With the limit reached, normal calls queue up to half of it.
	hold(5, rpc.Normal)
	eventually(t, "fifteen are there", func() bool { return s.Running() == 15 })
	if err := ask(rpc.Normal); fault.ReasonOf(err) != rpc.ReasonOverloaded {
		t.Errorf("normal beyond its queue: %v", err)
	}
	if err := ask(rpc.Interactive); fault.KindOf(err) != fault.Deadline {
		t.Errorf("interactive waits in the queue until its deadline: %v", err)
	}
	if n := turned.Load(); n != 2 {
		t.Errorf("%d calls were counted as turned away, want 2", n)
	}
	close(finish)
	held.Wait()
	if err := ask(rpc.Bulk); err != nil {
		t.Errorf("bulk on an idle server: %v", err)
	}
}

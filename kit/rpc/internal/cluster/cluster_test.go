package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// listening is an address with a gRPC server behind it that has no service: enough to connect to.
func listening(t *testing.T) (string, *grpc.Server) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	go func() { _ = s.Serve(lis) }()
	t.Cleanup(s.Stop)
	return lis.Addr().String(), s
}

func config(reg registry.Registry) Config {
	return Config{
		Service: "s", Registry: reg, Log: slog.New(slog.DiscardHandler), Dial: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
		FirstList: 200 * time.Millisecond, Connect: 200 * time.Millisecond, Relist: time.Hour, EjectMin: 50 * time.Millisecond, EjectMax: 400 * time.Millisecond,
		Silence: time.Hour, // a machine that is busy elsewhere makes nodes silent; TestSilence has its own
	}
}

func cluster(t *testing.T, cfg Config) *Cluster {
	t.Helper()
	c := New(cfg)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func fixed(t *testing.T, n int) *Cluster {
	t.Helper()
	cfg := config(nil)
	for range n {
		a, _ := listening(t)
		cfg.Addresses = append(cfg.Addresses, a)
	}
	c := cluster(t, cfg)
	eventually(t, "all connected", func() bool { return up(c) == n })
	return c
}

func up(c *Cluster) int {
	n := 0
	for _, node := range c.Nodes() {
		if node.Up() {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

func register(t *testing.T, reg registry.Registry, ids ...string) {
	t.Helper()
	for _, id := range ids {
		var addr, name string
		if _, err := fmt.Sscanf(id, "%s %s", &name, &addr); err != nil {
			t.Fatal(err)
		}
		if err := reg.Register(&registry.Service{Name: "s", Version: "1", Nodes: []*registry.Node{{Id: name, Address: addr}}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFollowsJoinsAndLeaves(t *testing.T) {
	a, _ := listening(t)
	b, _ := listening(t)
	reg := registry.NewMemoryRegistry()
	register(t, reg, "a "+a)
	c := cluster(t, config(reg))
	eventually(t, "the first node", func() bool { return up(c) == 1 })
	first := c.Nodes()[0]
	began := time.Now()
	register(t, reg, "b "+b)
	eventually(t, "the second node", func() bool { return up(c) == 2 })
	t.Logf("a join took %v", time.Since(began))
	if !first.Begin() {
		t.Fatal("the first node was replaced")
	}
	if err := reg.Deregister(&registry.Service{Name: "s", Version: "1", Nodes: []*registry.Node{{Id: "a", Address: a}}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first node has left", func() bool { return len(c.Nodes()) == 1 })
	if first.closed.Load() {
		t.Error("a node that left was closed under a running call")
	}
	first.End()
	if !first.closed.Load() {
		t.Error("a node that left stayed open after its last call")
	}
	if first.Begin() {
		t.Error("a node that left takes calls")
	}
}

// flaky is a registry that can stop answering, or forget everything.
type flaky struct {
	registry.Registry
	mu    sync.Mutex
	err   error
	empty bool
	lists atomic.Int64
}

func (f *flaky) set(err error, empty bool) {
	f.mu.Lock()
	f.err, f.empty = err, empty
	f.mu.Unlock()
}

func (f *flaky) GetService(name string, o ...registry.GetOption) ([]*registry.Service, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists.Add(1)
	if f.err != nil {
		return nil, f.err
	}
	if f.empty {
		return nil, registry.ErrNotFound
	}
	return f.Registry.GetService(name, o...)
}

func TestKeepsTheLastGoodList(t *testing.T) {
	a, srv := listening(t)
	reg := &flaky{Registry: registry.NewMemoryRegistry()}
	register(t, reg, "a "+a)
	cfg := config(reg)
	cfg.Relist = 5 * time.Millisecond
	c := cluster(t, cfg)
	eventually(t, "the node", func() bool { return up(c) == 1 })
	for what, set := range map[string]func(){
		"registry away":      func() { reg.set(errors.New("connection refused"), false) },
		"registry forgetful": func() { reg.set(nil, true) },
	} {
		set()
		for range 10 {
			lists := reg.lists.Load()
			eventually(t, "another list", func() bool { return reg.lists.Load() > lists })
			n, err := c.Pick(t.Context(), Want{})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			n.End()
		}
	}
	reg.set(nil, true)
	srv.Stop()
	eventually(t, "a node that neither the registry nor its connection speaks for is gone", func() bool { return len(c.Nodes()) == 0 })
}

func TestPickWithoutNodes(t *testing.T) {
	t.Run("nobody registered", func(t *testing.T) {
		c := cluster(t, config(registry.NewMemoryRegistry()))
		if _, err := c.Pick(t.Context(), Want{}); !errors.Is(err, ErrNoNodes) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("waits for the first list within the caller's deadline", func(t *testing.T) {
		cfg := config(hanging{registry.NewMemoryRegistry(), make(chan struct{})})
		c := cluster(t, cfg)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := c.Pick(ctx, Want{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		began := time.Now()
		if _, err := c.Pick(t.Context(), Want{}); !errors.Is(err, ErrNoNodes) || time.Since(began) > 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
	t.Run("all refuse: at once, and back as soon as one returns", func(t *testing.T) {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := lis.Addr().String()
		_ = lis.Close()
		cfg := config(nil)
		cfg.Addresses, cfg.Connect = []string{addr}, time.Minute
		c := cluster(t, cfg)
		if _, err := c.Pick(t.Context(), Want{}); !errors.Is(err, ErrAllDown) {
			t.Fatalf("got %v", err)
		}
		began := time.Now()
		if _, err := c.Pick(t.Context(), Want{}); !errors.Is(err, ErrAllDown) || time.Since(began) > 100*time.Millisecond {
			t.Fatalf("got %v after %v", err, time.Since(began))
		}
	})
}

// hanging is a registry frozen in the middle of an answer.
type hanging struct {
	registry.Registry
	never chan struct{}
}

func (h hanging) GetService(string, ...registry.GetOption) ([]*registry.Service, error) {
	<-h.never
	return nil, nil
}

func TestPredecessorOnTheSameAddress(t *testing.T) {
	a, _ := listening(t)
	c := cluster(t, config(hanging{registry.NewMemoryRegistry(), make(chan struct{})}))
	old, young := &registry.Node{Id: "old", Address: a}, &registry.Node{Id: "young", Address: a}
	c.set([]*registry.Node{old})
	first := c.Nodes()[0]
	for range 3 {
		c.set([]*registry.Node{young, old}) // the old one's time has not run out
		if n := c.Nodes(); len(n) != 1 || n[0] != first {
			t.Fatal("the connection was replaced while its node is still listed")
		}
	}
	c.set([]*registry.Node{young})
	if n := c.Nodes(); len(n) != 1 || n[0] == first || n[0].Registry.Id != "young" {
		t.Fatal("the successor did not take over")
	}
}

package cluster

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gate is a way to a server that can be shut: connections stay, and nothing passes.
type gate struct {
	mu   sync.Mutex
	open *sync.Cond
	shut bool
}

func newGate(t *testing.T, to string) (*gate, string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	g.open = sync.NewCond(&g.mu)
	t.Cleanup(func() { _ = lis.Close(); g.set(false) })
	go func() {
		for {
			in, err := lis.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				return
			}
			go g.pass(in, out)
			go g.pass(out, in)
		}
	}()
	return g, lis.Addr().String()
}

func (g *gate) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		g.mu.Lock()
		for g.shut {
			g.open.Wait()
		}
		g.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	g.shut = shut
	g.mu.Unlock()
	g.open.Broadcast()
}

type moved struct {
	Call
	times atomic.Int64
}

func (m *moved) Move() { m.times.Add(1) }

// TestSilence shuts the way to one of two nodes.
func TestSilence(t *testing.T) {
	a, _ := listening(t)
	b, _ := listening(t)
	g, way := newGate(t, a)
	cfg := config(nil)
	cfg.Addresses = []string{way, b}
	cfg.Silence, cfg.Patience = 50*time.Millisecond, 100*time.Millisecond
	cfg.Dialer = func(ctx context.Context, addr string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	var mu sync.Mutex
	seen := map[Event]int{}
	cfg.Observe = func(e Event) { mu.Lock(); seen[e]++; mu.Unlock() }
	c := cluster(t, cfg)
	eventually(t, "both are up", func() bool { return up(c) == 2 })
	shut := c.Nodes()[0]

	young, old, gone := &moved{}, &moved{}, &moved{}
	for range 3 {
		if !shut.Begin() {
			t.Fatal("the node is gone")
		}
		defer shut.End()
	}
	shut.Hold(&old.Call, old, Clock())
	shut.ring.Lock()
	old.began = Clock() - int64(time.Hour)
	shut.ring.Unlock()
	shut.Hold(&young.Call, young, Clock())
	shut.Hold(&gone.Call, gone, Clock())
	shut.Release(&gone.Call)

	// A node that answers, be it only that it serves no health, is not silent however long its calls take.
	answered := shut.heard.Load()
	eventually(t, "it was asked and has answered, twice", func() bool {
		now := shut.heard.Load()
		return now > answered+int64(100*time.Millisecond)
	})
	if shut.silent.Load() || young.times.Load() != 0 {
		t.Fatal("a node that answers is taken for silent")
	}

	began := time.Now()
	g.set(true)
	eventually(t, "the young call may move", func() bool { return young.times.Load() > 0 })
	t.Logf("silence was noticed after %v", time.Since(began).Round(time.Millisecond))
	if old.times.Load() > 0 {
		t.Error("a call that has run for long was moved at once")
	}
	for range 50 {
		n, err := c.Pick(t.Context(), Want{})
		if err != nil {
			t.Fatal(err)
		}
		n.End()
		if n == shut {
			t.Fatal("a silent node was picked")
		}
	}
	eventually(t, "the old call may move too", func() bool { return old.times.Load() > 0 })
	if d := time.Since(began); d < dear {
		t.Errorf("the old call could move after %v", d)
	}
	g.set(false)
	eventually(t, "it is heard again", func() bool { return shut.usable() })
	mu.Lock()
	defer mu.Unlock()
	if gone.times.Load() != 0 || seen[Silent] != 1 || seen[Back] != 1 {
		t.Errorf("a released call was moved %d times; events %v", gone.times.Load(), seen)
	}
}

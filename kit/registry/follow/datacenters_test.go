package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/registry"

	"calotype/kit/registry/follow"
)

// federation is two registries that know nothing of each other.
type federation struct {
	registry.Registry
	far registry.Registry
}

func (f federation) Datacenters() []follow.Datacenter {
	return []follow.Datacenter{{Registry: f.Registry}, {Name: "far", Registry: f.far}}
}

// held answers when it is let go.
type held struct {
	*moody
	until chan struct{}
}

func (h *held) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	<-h.until
	return h.moody.GetService(name, opts...)
}

// counted counts the questions.
type counted struct {
	*moody
	asked atomic.Int64
}

func (c *counted) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	defer c.asked.Add(1)
	return c.moody.GetService(name, opts...)
}

// Each datacenter's last list stays while it does not answer, one's own come first, and nobody is told of others before one's own was heard of.
func TestSeveralDatacenters(t *testing.T) {
	own := &held{&moody{Registry: registry.NewMemoryRegistry()}, make(chan struct{})}
	far := &counted{moody: &moody{Registry: registry.NewMemoryRegistry()}}
	node := func(id string) *registry.Service {
		return &registry.Service{Name: "s", Version: "1", Nodes: []*registry.Node{{Id: id, Address: id + ":1"}}}
	}
	register := func(near, there string) {
		t.Helper()
		if err := errors.Join(own.Register(node(near)), far.Register(node(there))); err != nil {
			t.Fatal(err)
		}
	}
	var list atomic.Value
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		cfg := follow.Config{Registry: federation{own, far}, Service: "s", Relist: 5 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
		follow.Run(ctx, cfg, func(nodes []*registry.Node) {
			var ids []string
			for _, n := range nodes {
				ids = append(ids, n.Id)
			}
			if !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(a[:3], b[:3]) }) {
				t.Errorf("listed in the order %q", ids)
			}
			slices.Sort(ids)
			list.Store(strings.Join(ids, " "))
		})
	}()
	eventually := func(what string, is func() bool) {
		t.Helper()
		tick, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
		defer tick.Stop()
		for !is() {
			select {
			case <-tick.C:
			case <-late:
				t.Fatalf("never happened: %s; the last list is %q", what, list.Load())
			}
		}
	}
	register("1st-a", "2nd-a")
	eventually("the other datacenter was asked", func() bool { return far.asked.Load() > 2 })
	if got := list.Load(); got != nil {
		t.Errorf("before one's own answered, %q was listed", got)
	}
	close(own.until)
	eventually("both are listed", func() bool { return list.Load() == "1st-a 2nd-a" })
	own.away.Store(true)
	register("1st-b", "2nd-b")
	eventually("one's own last list stays", func() bool { return list.Load() == "1st-a 2nd-a 2nd-b" })
	far.away.Store(true)
	own.away.Store(false)
	register("1st-c", "2nd-c")
	eventually("the other's last list stays", func() bool { return list.Load() == "1st-a 1st-b 1st-c 2nd-a 2nd-b" })
	stop()
	<-done
}

// Where one's own datacenter cannot be asked, or has none, the other's nodes are told of; and that there are none only when all said so.
func TestOneOfTwoDatacentersHasNone(t *testing.T) {
	for _, away := range []bool{false, true} {
		own := &moody{Registry: registry.NewMemoryRegistry()}
		own.away.Store(away)
		far := &held{&moody{Registry: registry.NewMemoryRegistry()}, make(chan struct{})}
		if err := far.Register(&registry.Service{Name: "s", Version: "1", Nodes: []*registry.Node{{Id: "z", Address: "z:1"}}}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		lists := make(chan int, 10000)
		done := make(chan struct{})
		go func() {
			defer close(done)
			cfg := follow.Config{Registry: federation{own, far}, Service: "s", Relist: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
			follow.Run(ctx, cfg, func(nodes []*registry.Node) { lists <- len(nodes) })
		}()
		close(far.until)
		if got := <-lists; got != 1 {
			t.Errorf("away: %t: the first list has %d nodes", away, got)
		}
		stop()
		<-done
	}
}

package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/registry"

	"calotype/kit/registry/follow"
)

// moody is a registry that can be away.
type moody struct {
	registry.Registry
	away atomic.Bool
	deaf atomic.Bool // it watches nothing
}

var errAway = errors.New("away")

func (m *moody) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	if m.away.Load() {
		return nil, errAway
	}
	return m.Registry.GetService(name, opts...)
}

func (m *moody) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	if m.deaf.Load() {
		return nil, errAway
	}
	return m.Registry.Watch(opts...)
}

func TestItKeepsUp(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		reg := &moody{Registry: registry.NewMemoryRegistry()}
		reg.deaf.Store(deaf)
		lists := make(chan []string, 1000)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			relist := time.Hour
			if deaf {
				relist = 20 * time.Millisecond
			}
			follow.Run(ctx, follow.Config{Registry: reg, Service: "s", Relist: relist, Log: slog.New(slog.DiscardHandler)}, func(nodes []*registry.Node) {
				ids := []string{}
				for _, n := range nodes {
					ids = append(ids, n.Id)
				}
				slices.Sort(ids)
				lists <- ids
			})
		}()
		await := func(want ...string) {
			t.Helper()
			late := time.After(10 * time.Second)
			for {
				select {
				case got := <-lists:
					if slices.Equal(got, want) {
						return
					}
				case <-late:
					t.Fatalf("never listed: %q", want)
				}
			}
		}
		node := func(id string) *registry.Service {
			return &registry.Service{Name: "s", Version: "1", Nodes: []*registry.Node{{Id: id, Address: id + ":1"}}}
		}
		await()
		if err := reg.Register(node("a")); err != nil {
			t.Fatal(err)
		}
		await("a")
		reg.away.Store(true)
		if err := reg.Register(node("b")); err != nil {
			t.Fatal(err)
		}
		for len(lists) > 0 {
			<-lists
		}
		reg.away.Store(false)
		await("a", "b")
		if err := errors.Join(reg.Deregister(node("a")), reg.Deregister(node("b"))); err != nil {
			t.Fatal(err)
		}
		await()
		stop()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("it does not end")
		}
	}
}

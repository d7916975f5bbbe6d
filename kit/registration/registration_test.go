package registration

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/util/addr"
)

const interval = 2500 * time.Millisecond

var service = &registry.Service{Name: "greeter", Nodes: []*registry.Node{{Id: "greeter-1", Address: "127.0.0.1:1"}}}

func settings(r registry.Registry) Config {
	return Config{Registry: r, TTL: 8 * time.Second, Interval: interval, Log: slog.New(slog.DiscardHandler)}
}

// pass lets the time of a synctest bubble go by.
func pass(d time.Duration) { <-time.After(d) }

// flaky is a registry that is away at first, or hangs.
type flaky struct {
	registry.Registry
	registered, deregistered atomic.Int64
	away                     atomic.Bool
	hang                     chan struct{}
	last                     atomic.Pointer[registry.Service] // that was registered
}

func (f *flaky) Register(s *registry.Service, _ ...registry.RegisterOption) error {
	if f.hang != nil {
		<-f.hang
	}
	if f.away.Load() {
		return errors.New("away")
	}
	f.registered.Add(1)
	f.last.Store(s)
	return nil
}

func (f *flaky) Deregister(*registry.Service, ...registry.DeregisterOption) error {
	f.deregistered.Add(1)
	return nil
}

func TestRegistrationRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		f.away.Store(true)
		g := Start(settings(f), service)
		pass(2100 * time.Millisecond) // it is asked at every half second: no moment of the test's is one of those
		if !g.Heard().IsZero() {
			t.Error("a registry that is away was heard")
		}
		f.away.Store(false)
		pass(time.Second)
		synctest.Wait()
		if heard := time.Since(g.Heard()); f.registered.Load() != 1 || heard != 600*time.Millisecond {
			t.Errorf("the registry was heard %v ago", heard)
		}
		if f.registered.Load() != 1 {
			t.Errorf("a registry that came back got %d registrations", f.registered.Load())
		}
		pass(4 * interval)
		synctest.Wait()
		if n := f.registered.Load(); n != 5 {
			t.Errorf("%d registrations after four intervals", n)
		}
		if err := g.End(t.Context()); err != nil {
			t.Error(err)
		}
		n := f.registered.Load()
		pass(time.Minute)
		if f.registered.Load() != n || f.deregistered.Load() != 1 {
			t.Error("it goes on after its end")
		}
	})
}

func TestRegistrationDoesNotWaitForARegistryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{hang: make(chan struct{})}
		start := time.Now()
		g := Start(settings(f), service)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.End(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != patience+time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(f.hang)
		synctest.Wait()
		if f.deregistered.Load() != 1 {
			t.Error("what arrived late was not taken back")
		}
	})
}

func (f *flaky) String() string { return "flaky" }

func TestAddress(t *testing.T) {
	const listen = "127.0.0.1:4000"
	for told, want := range map[string]string{
		"": listen, "node": "node:4000", "node:5000": "node:5000", "node:0": "node:4000", "[::1]": "[::1]:4000", "[::1]:5000": "[::1]:5000",
	} {
		if got, err := Address(told, listen, at(nil)); err != nil || got != want {
			t.Errorf("told %q, others are told %q, %v, want %q", told, got, err, want)
		}
	}
	if got, err := Address("", "[::]:4000", at(nil)); err != nil || strings.HasPrefix(got, "[::]") || !strings.HasSuffix(got, ":4000") {
		t.Errorf("for all addresses of this machine others are told %q, %v", got, err)
	}
	if _, err := Address("node:1", "/run/socket", at(nil)); err == nil {
		t.Error("a socket has no address for others")
	}
}

// at is a registry at some addresses.
type at []string

func (a at) Options() registry.Options { return registry.Options{Addrs: a} }

func TestAddressTowardsTheRegistry(t *testing.T) {
	own, err := addr.Extract("")
	if err != nil {
		t.Fatal(err)
	}
	own, there := net.JoinHostPort(own, "4000"), net.JoinHostPort(own, "8500")
	for _, servers := range [][]string{{there}, {"no such name:8500", there}, {"127.0.0.1:8500"}, {"no such name:8500"}} {
		if got, err := Address("", "0.0.0.0:4000", at(servers)); err != nil || got != own {
			t.Errorf("towards %q it is %q, %v; want %s", servers, got, err, own)
		}
	}
}

// A machine that gets another address is found there from the next renewal on; one that only gets one more is left where it is.
func TestTheNodeMoves(t *testing.T) {
	for from, to := range map[string]string{"10.0.0.1:1": "10.0.0.2:1", "127.0.0.1:1": "127.0.0.1:1"} {
		synctest.Test(t, func(t *testing.T) {
			reg := &flaky{}
			cfg, network := settings(reg), atomic.Bool{}
			cfg.Address = func() (string, error) {
				if !network.Load() {
					return "", errors.New("no network")
				}
				return "10.0.0.2:1", nil
			}
			given := &registry.Service{Name: "greeter", Nodes: []*registry.Node{{Id: "greeter-1", Address: from}}}
			g := Start(cfg, given)
			found := func() string { return reg.last.Load().Nodes[0].Address }
			if at := found(); at != from {
				t.Errorf("found at %s without a network, want %s", at, from)
			}
			network.Store(true)
			pass(interval + time.Second)
			synctest.Wait()
			if at := found(); at != to {
				t.Errorf("found at %s, want %s", at, to)
			}
			if err := g.End(t.Context()); err != nil {
				t.Error(err)
			}
			if given.Nodes[0].Address != from {
				t.Error("what it was given has changed")
			}
		})
	}
}

package rpc

import (
	"context"
	"testing"
	"time"

	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

// The registry is away for longer than a registration lives (8 s) and longer than any list is kept without asking again (5 s).
var away = lasting(time.Minute, 12*time.Second)

// TestTheRegistryAway kills the registry's server, and freezes it, under load: no call may fail or be slow, and a node that joined meanwhile
// must be used within 3 s of the server's return.
func TestTheRegistryAway(t *testing.T) { onEach(t, registryAway) }

func registryAway(t *testing.T, kind string) {
	w := newWorldOn(t, kind)
	w.three(t)
	l := startLoad(t, 100, func(ctx context.Context) (*greeterv1.HelloResponse, error) {
		return w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
	})
	for _, f := range []struct {
		name, joins   string
		goes, returns func()
	}{
		{"killed", "n3", w.server.Kill, w.server.Start},
		{"frozen", "n4", w.server.Freeze, w.server.Thaw},
	} {
		at := time.Now()
		f.goes()
		w.start(t, f.joins)
		l.lasts(t, away-time.Since(at))
		f.returns()
		took := w.answers(t, f.joins)
		all, failed := l.between(at, time.Hour)
		t.Logf("%s for %v: %d calls, %d failed, p50 %v, p99 %v, slowest %v; %s is used %v after the return", f.name, away, len(all), len(failed),
			quantile(all, .5), quantile(all, .99), quantile(all, 1), f.joins, took.Round(time.Millisecond))
		for _, err := range failed {
			t.Error(err)
		}
		if slowest := quantile(all, 1); slowest >= deadline {
			t.Errorf("%s: a call took %v", f.name, slowest)
		}
		if took > 3*time.Second {
			late(t, "%s: the node that joined is used %v after the server's return, want within 3s", f.name, took)
		}
	}
	w.answers(t, "n0", "n1", "n2", "n3", "n4")
}

// TestTheNextServerTakesOver takes one of two ways to the registry away for good. Those that began with it must go on with the other: no call may fail
// meanwhile, and nodes that join are found.
func TestTheNextServerTakesOver(t *testing.T) { onEach(t, nextServer) }

func nextServer(t *testing.T, kind string) {
	var away *servers.Relay // one of two ways, with which about half of the processes begin
	w := newWorldOn(t, kind, func(to string) string {
		away = servers.NewRelay(t, to)
		return away.Addr()
	})
	w.three(t)
	l := startLoad(t, 100, func(ctx context.Context) (*greeterv1.HelloResponse, error) {
		return w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
	})
	began := time.Now()
	away.Cut()
	eventually(t, "the nodes are known at the next server", func() bool {
		services, err := w.registry.GetService(service)
		return err == nil && len(services) == 1 && len(services[0].Nodes) == 3
	})
	known := time.Since(began)
	w.start(t, "n3")
	used := w.answers(t, "n0", "n1", "n2", "n3")
	l.end()
	all, failed := l.between(began, time.Hour)
	t.Logf("%d calls, %d failed, p99 %v, slowest %v; all nodes are known at the next server after %v; one that joins there is used %v after it is ready",
		len(all), len(failed), quantile(all, .99), quantile(all, 1), known.Round(time.Millisecond), used.Round(time.Millisecond))
	for _, err := range failed {
		t.Error(err)
	}
	if used > time.Second {
		late(t, "a node that joined at the next server is used only after %v", used)
	}
}

package rpc

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	microregistry "go-micro.dev/v4/registry"

	"calotype/kit/registry"
	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

// TestTheNextDatacenterTakesOver has a Consul of two datacenters, each with nodes and addresses of its own, and calls from the first. What
// is taken away, one after the other, under load: all nodes of the first, the second's Consul while calls go there, and the first's Consul,
// with its nodes then too. No call may fail, and calls go to the other datacenter only while none of the own nodes is there.
func TestTheNextDatacenterTakesOver(t *testing.T) {
	consul := servers.NewConsulDatacenters(t, "dc1", "dc2")
	w := newWorldAt(t, registry.Consul, []string{consul[0].Addr}, "dc2")
	own := w.in(t, consul[0], "own0", "own1")
	w.in(t, consul[1], "far0", "far1")
	l := startLoad(t, 50, func(ctx context.Context) (*greeterv1.HelloResponse, error) {
		return w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
	})
	both := map[string]int{"dc1": 2, "dc2": 2}
	w.healthy(t, both)
	began := time.Now()
	l.lasts(t, time.Second)
	silences := w.silences.Load()
	phase := func(what, answers string, from time.Time) {
		t.Helper()
		before := silences
		silences = w.silences.Load()
		took, failed := l.between(from, time.Hour)
		t.Logf("%s: %d calls, %d failed, p50 %v, p99 %v, slowest %v", what, len(took), len(failed), quantile(took, .5), quantile(took, .99), quantile(took, 1))
		for who, calls := range l.who(from) {
			switch {
			case strings.HasPrefix(who, answers):
			case silences > before:
				late(t, "%s: %d calls were answered by %s, since nodes seemed silent", what, calls, who)
			default:
				t.Errorf("%s: %d calls were answered by %s", what, calls, who)
			}
		}
	}
	phase("all is well", "own", began)

	at := time.Now()
	killAll(own)
	took := l.takenOver(t, "far", at)
	l.lasts(t, time.Second)
	phase(fmt.Sprintf("kill -9 of all nodes of one datacenter, the other answers %v after", took), "far", at.Add(took))

	cut := time.Now()
	consul[1].Freeze() // the first datacenter's hangs with its questions, for longer than any list is kept without asking again (5 s)
	l.lasts(t, away/2)
	phase("the other datacenter's Consul is frozen", "far", cut)
	consul[1].Thaw()

	at = startAll(own)
	took = l.takenOver(t, "own", at)
	w.healthy(t, both)
	back := time.Now()
	l.lasts(t, time.Second)
	phase(fmt.Sprintf("own nodes are there again, and answer %v after they are ready", took), "own", back)

	gone := time.Now()
	consul[0].Kill()
	l.lasts(t, away/2)
	phase("one's own Consul is away", "own", gone)
	at = time.Now()
	killAll(own)
	took = l.takenOver(t, "far", at)
	l.lasts(t, time.Second)
	phase(fmt.Sprintf("kill -9 of all own nodes meanwhile, the other datacenter answers %v after", took), "far", at.Add(took))
	at = startAll(own)
	took = l.takenOver(t, "own", at)
	t.Logf("own nodes are there again, at their old addresses, and nobody says so: they answer %v after they are ready", took)
	consul[0].Start()
	eventually(t, "the own nodes are registered again", func() bool {
		services, err := w.registry.GetService(service)
		return err == nil && len(services) == 1 && len(services[0].Nodes) == 2 && services[0].Nodes[0].Metadata["datacenter"] == "dc1"
	})
	w.onlyFar(t, consul[1])
	l.end()
	all, failed := l.between(began, time.Hour)
	t.Logf("in all: %d calls, %d failed, p99 %v, slowest %v; %+v", len(all), len(failed), quantile(all, .99), quantile(all, 1), w.client.Datacenters())
	for _, err := range failed {
		t.Error(err)
	}
}

// in starts nodes in a datacenter, on fixed ports of its address.
func (w *world) in(t *testing.T, consul *servers.Consul, ids ...string) (nodes []*servers.Process) {
	t.Helper()
	host, _, err := net.SplitHostPort(consul.Addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		_, port, err := net.SplitHostPort(servers.FreePort(t))
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, w.start(t, id, "CALOTYPE_REGISTRY__ADDRESSES="+consul.Addr, "CALOTYPE_RPC__LISTEN="+net.JoinHostPort(host, port)))
	}
	return nodes
}

// healthy waits until the client can call so many nodes in each datacenter.
func (w *world) healthy(t *testing.T, want map[string]int) {
	t.Helper()
	eventually(t, "all nodes can be called", func() bool {
		found := 0
		for _, d := range w.client.Datacenters() {
			if want[d.Name] == d.Healthy && d.Nodes == d.Healthy {
				found++
			}
		}
		return found == len(want)
	})
}

// onlyFar registers a service in the other datacenter alone: it is found as any other.
func (w *world) onlyFar(t *testing.T, consul *servers.Consul) {
	t.Helper()
	cfg := registry.DefaultConfig()
	cfg.Kind, cfg.Addresses = registry.Consul, []string{consul.Addr}
	there, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	const name = "only-far"
	if err := there.Register(&microregistry.Service{Name: name, Version: "1", Nodes: []*microregistry.Node{{Id: name, Address: "127.0.2.1:1"}}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a service of the other datacenter's is found", func() bool {
		services, err := w.registry.GetService(name)
		return err == nil && services[0].Nodes[0].Metadata["datacenter"] == "dc2"
	})
	names := map[string]int{}
	services, err := w.registry.ListServices()
	for _, s := range services {
		names[s.Name]++
	}
	if err != nil || names[name] != 1 || names[service] != 1 {
		t.Errorf("services are listed as %v, %v", names, err)
	}
}

func killAll(nodes []*servers.Process) {
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(n.Kill)
	}
	all.Wait()
}

// startAll gives the moment when the first is ready.
func startAll(nodes []*servers.Process) (ready time.Time) {
	for i, n := range nodes {
		n.Start()
		if i == 0 {
			ready = time.Now()
		}
	}
	return ready
}

// who answered the calls that began since a moment.
func (l *load) who(since time.Time) map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := map[string]int{}
	for _, s := range l.all {
		if s.err == nil && !s.began.Before(since) {
			who[s.node]++
		}
	}
	return who
}

// takenOver waits until nodes with a prefix answer and no others do, and tells how long after a moment the first answer of theirs came.
func (l *load) takenOver(t *testing.T, prefix string, at time.Time) (took time.Duration) {
	t.Helper()
	eventually(t, prefix+" nodes answer", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, s := range l.all {
			if s.err == nil && strings.HasPrefix(s.node, prefix) && s.began.Add(s.took).After(at) {
				took = s.began.Add(s.took).Sub(at)
				return true
			}
		}
		return false
	})
	return took.Round(time.Millisecond)
}

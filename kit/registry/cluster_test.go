package registry_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	microregistry "go-micro.dev/v4/registry"

	"calotype/kit/config"
	"calotype/kit/registration"
	"calotype/kit/registry"
	"calotype/test/servers"
)

// A node stays registered, and is found, whatever one of three Consul servers does, the one that leads and the one that the node is
// registered with included. When all are frozen, nothing changes: errors say that nobody knows.
func TestNoConsulIsOneToDependOn(t *testing.T) {
	cluster := servers.NewConsulCluster(t, 3)
	at := func(token string, addresses ...string) microregistry.Registry {
		cfg := registry.DefaultConfig()
		cfg.Kind, cfg.Addresses = registry.Consul, addresses
		cfg.Token = config.Secret(cluster.Tokens[token])
		r, err := registry.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var log lines
	node := &microregistry.Service{Name: "calotype-greeter", Version: "1", Nodes: []*microregistry.Node{{Id: "calotype-greeter-1", Address: "10.0.0.9:9000"}}}
	registered := registration.Start(registration.Config{
		Registry: at("greeter", cluster.Addresses()...), TTL: registry.DefaultConfig().TTL, Interval: registry.DefaultConfig().Interval, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}, node)
	callers := at("gateway", cluster.Addresses()...)
	found := func() bool {
		services, err := callers.GetService("calotype-greeter")
		return err == nil && len(services) == 1 && len(services[0].Nodes) == 1
	}
	await(t, "the node is found", found)

	// watch looks all the time, until the node was renewed after what is done, and tells the longest time it was not to be found.
	watch := func(what string, done func()) {
		t.Helper()
		began := time.Now()
		done()
		var missing, longest time.Duration
		var known time.Time
		await(t, "the node is renewed after "+what, func() bool {
			look := time.Now()
			if found() {
				missing = 0
			} else if missing += time.Since(look) + pollEvery; missing > longest {
				longest = missing
			}
			if registered.Heard().After(began) && known.IsZero() {
				known = time.Now()
			}
			// Long enough for the failure to be noticed by the other servers, too.
			return !known.IsZero() && missing == 0 && time.Since(began) > 7*time.Second
		})
		t.Logf("%s: renewed after %v, not to be found for %v at most", what, known.Sub(began).Round(10*time.Millisecond), longest.Round(10*time.Millisecond))
	}
	holder := func() *servers.Consul {
		for _, n := range cluster.Nodes {
			if n.Has(node.Nodes[0].Id) {
				return n
			}
		}
		t.Fatal("no server has the node")
		return nil
	}
	other := func(than ...*servers.Consul) *servers.Consul {
		for _, n := range cluster.Nodes {
			if n != than[0] && (len(than) < 2 || n != than[1]) {
				return n
			}
		}
		return nil
	}
	var down *servers.Consul
	watch("the server it is registered with was killed", func() { down = holder(); down.Kill() })
	down.Start()
	watch("the leader was killed", func() { down = cluster.Leader(); down.Kill() })
	down.Start()
	watch("a server that neither leads nor has the node was killed", func() { down = other(cluster.Leader(), holder()); down.Kill() })
	down.Start()
	watch("the server it is registered with froze", func() { down = holder(); down.Freeze() })
	down.Thaw()
	watch("the leader froze", func() { down = cluster.Leader(); down.Freeze() })
	down.Thaw()

	for _, n := range cluster.Nodes {
		n.Freeze()
	}
	if services, err := callers.GetService("calotype-greeter"); err == nil {
		t.Errorf("frozen servers gave %v", services)
	}
	for _, n := range cluster.Nodes {
		n.Thaw()
	}
	watch("all froze and thawed", func() {})

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := registered.End(ctx); err != nil {
		t.Error(err)
	}
	await(t, "the node has left", func() bool {
		_, err := callers.GetService("calotype-greeter")
		return err != nil
	})
	for _, n := range cluster.Nodes {
		if n.Has(node.Nodes[0].Id) {
			t.Errorf("%s still has the node", n.Addr)
		}
	}
	if t.Failed() {
		t.Log(log.String())
	}
}

const pollEvery = 20 * time.Millisecond

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-again.C:
		}
	}
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

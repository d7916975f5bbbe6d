package leader_test

import (
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/config"
	"calotype/kit/leader"
	"calotype/test/servers"
)

// Somebody leads, with no more than its token allows, whatever one of three Consul servers does: the term lasts, or the next begins
// within two TTLs.
func TestLeadingWithoutOneConsul(t *testing.T) {
	cluster := servers.NewConsulCluster(t, 3)
	follower := func() *servers.Consul {
		leads := cluster.Leader()
		return cluster.Nodes[(slices.Index(cluster.Nodes, leads)+1)%3]
	}
	s := at(leader.DefaultConfig().TTL, cluster.Addresses()...)
	s.reg.Token = config.Secret(cluster.Tokens["image-manager"])
	withoutOne(t, s, []outage{
		{"the leader was killed", func() *servers.Process { c := cluster.Leader(); c.Kill(); return c.Process }, (*servers.Process).Start},
		{"a follower was killed", func() *servers.Process { c := follower(); c.Kill(); return c.Process }, (*servers.Process).Start},
		{"the leader froze", func() *servers.Process { c := cluster.Leader(); c.Freeze(); return c.Process }, (*servers.Process).Thaw},
	})
}

// The same with three etcd servers.
func TestLeadingWithoutOneEtcd(t *testing.T) {
	cluster := servers.NewEtcdCluster(t, 3)
	withoutOne(t, on(leader.Etcd, leader.DefaultConfig().TTL, cluster.Addresses()...), []outage{
		{"the leader was killed", func() *servers.Process { e := cluster.Leader(); e.Kill(); return e.Process }, (*servers.Process).Start},
		{"a follower was killed", func() *servers.Process { e := cluster.Follower(); e.Kill(); return e.Process }, (*servers.Process).Start},
		{"the leader froze", func() *servers.Process { e := cluster.Leader(); e.Freeze(); return e.Process }, (*servers.Process).Thaw},
	})
}

// outage is one of several servers being away.
type outage struct {
	name string
	do   func() *servers.Process
	undo func(*servers.Process)
}

func withoutOne(t *testing.T, s setting, outages []outage) {
	terms := make(chan leader.Term, 100)
	stand := func(node string) leader.Elector {
		p := &process{node: node, metrics: prometheus.NewRegistry(), log: &buffer{}}
		var err error
		p.Elector, err = leader.New(s.cfg, s.reg, leader.Process{
			Service: "calotype-image", Node: node, Log: slog.New(slog.NewTextHandler(p.log, nil)), Metrics: p.metrics,
		})
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := p.Elector.(io.Closer); ok {
			t.Cleanup(func() { _ = c.Close() })
		}
		one := p.stand(t, "sweep")
		go func() {
			for {
				select {
				case term := <-one.terms:
					terms <- term
				case <-t.Context().Done():
					return
				}
			}
		}()
		return p
	}
	electors := []leader.Elector{stand("a"), stand("b")}
	now := standing{terms: terms}.next(t, soon)
	leads := func() bool { return len(electors[0].Terms())+len(electors[1].Terms()) == 1 }

	for _, fault := range outages {
		began := time.Now()
		down := fault.do()
		var nobody time.Duration
		look := time.NewTicker(10 * time.Millisecond)
		for time.Since(began) < leader.DefaultConfig().TTL || !leads() {
			if time.Since(began) > 3*leader.DefaultConfig().TTL {
				t.Fatalf("%s: nobody leads after %v", fault.name, time.Since(began))
			}
			if !leads() {
				nobody += 10 * time.Millisecond
			}
			<-look.C
		}
		look.Stop()
		before := now
		for len(terms) > 0 {
			now = <-terms
		}
		t.Logf("%s: the term lasted: %v; nobody led for %v", fault.name, now == before, nobody)
		if now.Fence < before.Fence {
			t.Errorf("%s: %+v after %+v", fault.name, now, before)
		}
		if nobody > 2*leader.DefaultConfig().TTL {
			t.Errorf("%s: nobody led for %v", fault.name, nobody)
		}
		fault.undo(down)
	}
}

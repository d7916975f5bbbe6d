package leader_test

import (
	"log/slog"
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
	terms := make(chan leader.Term, 100)
	stand := func(node string) leader.Elector {
		s := at(leader.DefaultConfig().TTL, cluster.Addresses()...)
		s.reg.Token = config.Secret(cluster.Tokens["image-manager"])
		p := &process{node: node, metrics: prometheus.NewRegistry(), log: &buffer{}}
		var err error
		p.Elector, err = leader.New(s.cfg, s.reg, leader.Process{
			Service: "calotype-image", Node: node, Log: slog.New(slog.NewTextHandler(p.log, nil)), Metrics: p.metrics,
		})
		if err != nil {
			t.Fatal(err)
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

	for _, fault := range []struct {
		name string
		do   func() *servers.Consul
		undo func(*servers.Consul)
	}{
		{"the leader was killed", func() *servers.Consul { c := cluster.Leader(); c.Kill(); return c }, func(c *servers.Consul) { c.Start() }},
		{"a follower was killed", func() *servers.Consul { c := follower(cluster); c.Kill(); return c }, func(c *servers.Consul) { c.Start() }},
		{"the leader froze", func() *servers.Consul { c := cluster.Leader(); c.Freeze(); return c }, func(c *servers.Consul) { c.Thaw() }},
	} {
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

func follower(c *servers.ConsulCluster) *servers.Consul {
	leads := c.Leader()
	for _, n := range c.Nodes {
		if n != leads {
			return n
		}
	}
	return nil
}

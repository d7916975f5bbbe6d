package rpc

import (
	"context"
	"testing"
	"time"

	"calotype/kit/registry"
	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

// TestEtcdsLeaderIsKilled kills and freezes the leader of three etcd servers under load, while a node joins and another is killed with
// kill -9: no call may fail. It tells how long it takes until another server leads, and until who joined meanwhile is used.
func TestEtcdsLeaderIsKilled(t *testing.T) {
	cluster := servers.NewEtcdCluster(t, 3)
	w := newWorldAt(t, registry.Etcd, cluster.Addresses())
	nodes := w.three(t)
	l := startLoad(t, 100, func(ctx context.Context) (*greeterv1.HelloResponse, error) {
		return w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
	})
	for _, f := range []struct {
		name, joins   string
		goes, returns func(*servers.Etcd)
	}{
		{"killed", "n3", func(e *servers.Etcd) { e.Kill() }, func(e *servers.Etcd) { e.Start() }},
		{"frozen", "n4", func(e *servers.Etcd) { e.Freeze() }, func(e *servers.Etcd) { e.Thaw() }},
	} {
		leader, at := cluster.Leader(), time.Now()
		f.goes(leader)
		nodes[0].Kill()
		next := make(chan time.Duration, 1)
		go func() { // the new node takes its time to start
			for led := cluster.Leader(); led == leader; led = cluster.Leader() {
			}
			next <- time.Since(at)
		}()
		began := time.Now()
		w.start(t, f.joins)
		up := time.Since(began)
		used := w.answers(t, f.joins)
		elected := <-next
		// Longer than a registration lives: whoever was not renewed meanwhile would be missed.
		l.lasts(t, registry.DefaultConfig().TTL+2*time.Second-time.Since(at))
		services, err := w.registry.GetService(service)
		if err != nil || len(services) != 1 {
			t.Fatalf("etcd's leader %s: the registry has %v, %v", f.name, services, err)
		}
		all, failed := l.between(at, time.Hour)
		t.Logf("etcd's leader %s: another leads after %v; who joins is ready after %v and used %v later; %d calls, %d failed, p99 %v, slowest %v", f.name,
			elected.Round(time.Millisecond), up.Round(time.Millisecond), used.Round(time.Millisecond), len(all), len(failed), quantile(all, .99), quantile(all, 1))
		for _, err := range failed {
			if starved(all) {
				late(t, "%v, where this process itself did not get to run", err)
				break
			}
			t.Error(err)
		}
		f.returns(leader)
		nodes[0].Start()
		w.answers(t, "n0", "n1", "n2", f.joins)
	}
	l.end()
}

// starved tells that this process was kept from running for so long that its calls' deadlines say nothing: one came back long after its own.
func starved(took []time.Duration) bool { return quantile(took, 1) > deadline+time.Second }

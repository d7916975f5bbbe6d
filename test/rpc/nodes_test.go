package rpc

import (
	"context"
	"testing"
	"time"

	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

// TestNodesComeAndGo lets three nodes die and return in every way there is, under 300 idempotent calls a second. None may fail, and
// in the second after each fault 99 of 100 calls take no longer than 250 ms.
func TestNodesComeAndGo(t *testing.T) {
	w := newWorld(t)
	nodes := w.three(t)
	l := startLoad(t, 300, func(ctx context.Context) (*greeterv1.HelloResponse, error) {
		return w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
	})
	began := time.Now()
	l.lasts(t, 2*time.Second)
	usual, _ := l.between(began, 2*time.Second)
	t.Logf("undisturbed: %d calls, p50 %v, p99 %v", len(usual), quantile(usual, .5), quantile(usual, .99))
	// A machine that is busy with other things says nothing of the fault.
	limit := max(250*time.Millisecond, 3*quantile(usual, .99))

	for _, f := range []struct {
		name string
		do   func()
		rest time.Duration // how long the state after the fault is worth watching
	}{
		{"kill -9", nodes[0].Kill, 1500 * time.Millisecond},
		{"restart on the same address", nodes[0].Start, 1500 * time.Millisecond},
		// Longer than the registration lives: Consul drops the node, and it returns with its old connections.
		{"SIGSTOP for 11 s", nodes[1].Freeze, 11 * time.Second},
		{"SIGCONT", nodes[1].Thaw, 1500 * time.Millisecond},
		{"restart on another address", func() { nodes[2].Kill(); w.start(t, "n3") }, 1500 * time.Millisecond},
		{"SIGTERM of the first", func() { leave(t, nodes[0]) }, 1500 * time.Millisecond},
		{"its return", nodes[0].Start, 1500 * time.Millisecond},
		{"SIGTERM of the second", func() { leave(t, nodes[1]) }, 1500 * time.Millisecond},
	} {
		at := time.Now()
		f.do()
		l.lasts(t, f.rest)
		took, failed := l.between(at, time.Second)
		t.Logf("%s: %d calls in the second after, %d failed, p50 %v, p99 %v, slowest %v", f.name, len(took), len(failed),
			quantile(took, .5), quantile(took, .99), quantile(took, 1))
		if p99 := quantile(took, .99); p99 > limit {
			late(t, "%s: p99 in the second after is %v, want at most %v", f.name, p99, limit)
		}
	}
	w.answers(t, "n0", "n3")
	l.end()
	all, failed := l.between(began, time.Hour)
	t.Logf("in all: %d calls, %d failed, p99 %v, slowest %v", len(all), len(failed), quantile(all, .99), quantile(all, 1))
	for _, err := range failed {
		t.Error(err)
	}
}

// leave asks a node to leave and waits until it has.
func leave(t *testing.T, p *servers.Process) {
	t.Helper()
	p.Stop()
	if code := p.ExitCode(); code != 0 {
		t.Errorf("it left with code %d:\n%s", code, p.Log())
	}
}

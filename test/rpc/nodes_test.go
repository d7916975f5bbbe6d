package rpc

import (
	"context"
	"fmt"
	"testing"
	"time"

	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

// TestNodesComeAndGo lets three nodes die and return in every way there is, under 300 idempotent calls a second. None may fail, and
// in every second from each fault to the next 99 of 100 calls take no longer than 250 ms.
func TestNodesComeAndGo(t *testing.T) { onEach(t, nodesComeAndGo) }

func nodesComeAndGo(t *testing.T, kind string) {
	w := newWorldOn(t, kind)
	nodes := w.three(t)
	l := startLoad(t, 300, func(ctx context.Context) (*greeterv1.HelloResponse, error) {
		return w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
	})
	began := time.Now()
	l.lasts(t, 2*time.Second)
	usual, _ := l.between(began, 2*time.Second)
	t.Logf("undisturbed: %d calls, p50 %v, p99 %v", len(usual), quantile(usual, .5), quantile(usual, .99))
	limit := 250 * time.Millisecond
	if !alone { // a machine that is busy with other things says nothing of the fault
		limit = max(limit, 3*quantile(usual, .99))
	}

	type fault struct {
		name string
		do   func()
		rest time.Duration // how long the state after the fault is worth watching
	}
	const rest = 1500 * time.Millisecond
	// Longer than the registration lives: the registry drops the node, and it returns with its old connections.
	frozen := lasting(15*time.Second, 11*time.Second)
	faults := []fault{
		{"kill -9", nodes[0].Kill, rest},
		{"restart on the same address", nodes[0].Start, rest},
		{fmt.Sprintf("SIGSTOP for %v", frozen), nodes[1].Freeze, frozen},
		{"SIGCONT", nodes[1].Thaw, rest},
		{"restart on another address", func() { nodes[2].Kill(); nodes[2] = w.start(t, "n3") }, rest},
	}
	for i, name := range []string{"first", "second", "third"} {
		faults = append(faults, fault{"SIGTERM of the " + name, func() { leave(t, nodes[i]) }, rest}, fault{"its return", func() { nodes[i].Start() }, rest})
	}
	for _, f := range faults {
		at := time.Now()
		f.do()
		l.lasts(t, f.rest)
		took, failed := l.between(at, time.Second)
		worst, after := l.worst(at)
		t.Logf("%s: %d calls in the second after, %d failed, p50 %v, p99 %v, slowest %v; the worst second, %v after: p99 %v", f.name, len(took), len(failed),
			quantile(took, .5), quantile(took, .99), quantile(took, 1), after, worst)
		if worst > limit {
			late(t, "%s: p99 in a second after it is %v, want at most %v", f.name, worst, limit)
		}
	}
	w.answers(t, "n0", "n1", "n3")
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

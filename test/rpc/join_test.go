package rpc

import (
	"context"
	"fmt"
	"testing"
	"time"

	greeterv1 "calotype/proto/greeter/v1"
)

// TestJoinsAndLeavesAreNoticed lets nodes join and leave under load, and tells how long a client takes to notice: from the registry's listing
// a node to its first answer, and from its listing it no more to the last call that went there. Each within a second.
func TestJoinsAndLeavesAreNoticed(t *testing.T) { onEach(t, joinsAndLeaves) }

func joinsAndLeaves(t *testing.T, kind string) {
	w := newWorldOn(t, kind)
	w.start(t, "n0")
	w.answers(t, "n0")
	l := startLoad(t, 300, func(ctx context.Context) (*greeterv1.HelloResponse, error) {
		return w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "x"})
	})
	began := time.Now()
	noticed := func(what string, took time.Duration) {
		t.Logf("%s is noticed %v after", what, max(0, took).Round(time.Millisecond))
		if took > time.Second {
			late(t, "%s was noticed only %v after", what, took)
		}
	}
	for i := range 3 {
		id := fmt.Sprint("n", i+1)
		joined := w.lists(t, 2)
		// It serves on for long after it left the registry, so that it is the news that ends the calls, and no refusal.
		node := w.start(t, id, "CALOTYPE_DRAIN__WAIT=3s")
		at := <-joined
		eventually(t, id+" answers", func() bool { first, _ := l.of(id); return first != nil })
		first, _ := l.of(id)
		noticed("a join", first.began.Add(first.took).Sub(at))

		left := w.lists(t, 1)
		leave(t, node)
		at = <-left
		_, last := l.of(id)
		noticed("a leave", last.began.Sub(at))
	}
	l.end()
	all, failed := l.between(began, time.Hour)
	t.Logf("in all: %d calls, %d failed, p99 %v, slowest %v", len(all), len(failed), quantile(all, .99), quantile(all, 1))
	for _, err := range failed {
		t.Error(err)
	}
}

// lists gives the moment when the registry lists so many nodes.
func (w *world) lists(t *testing.T, count int) <-chan time.Time {
	moment := make(chan time.Time, 1)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			nodes := 0
			services, err := w.registry.GetService(service)
			for _, s := range services {
				nodes += len(s.Nodes)
			}
			if err == nil && nodes == count {
				moment <- time.Now()
				return
			}
			select {
			case <-tick.C:
			case <-t.Context().Done():
				return
			}
		}
	}()
	return moment
}

// of are the first and the last call that a node answered, nil while there is none.
func (l *load) of(id string) (first, last *sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if s.node != id {
			continue
		}
		if first == nil || s.began.Before(first.began) {
			first = &s
		}
		if last == nil || s.began.After(last.began) {
			last = &s
		}
	}
	return first, last
}

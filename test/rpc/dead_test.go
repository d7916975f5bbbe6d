package rpc

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"calotype/kit/fault"
	greeterv1 "calotype/proto/greeter/v1"
	imagev1 "calotype/proto/image/v1"
)

// TestAllDead kills every node: calls are refused at once, and answered within a second of a node's return.
func TestAllDead(t *testing.T) {
	w := newWorld(t)
	nodes := w.three(t)
	for _, n := range nodes {
		n.Kill()
	}
	eventually(t, "the client has noticed", func() bool {
		_, err := w.greeter.Hello(t.Context(), &greeterv1.HelloRequest{})
		return err != nil
	})
	began := time.Now()
	_, err := w.greeter.Hello(t.Context(), &greeterv1.HelloRequest{})
	refused := time.Since(began)
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("with every node dead a call gave %v", err)
	}
	if refused > 200*time.Millisecond {
		late(t, "with every node dead a call was refused after %v", refused)
	}
	nodes[1].Start() // returns when it is ready, a little after it serves
	back := w.answers(t, "n1")
	t.Logf("every node dead: refused after %v; answered %v after a node is ready again", refused.Round(100*time.Microsecond), back.Round(time.Millisecond))
	if back > time.Second {
		late(t, "recovery took %v", back)
	}
}

// TestAtMostOnce freezes nodes, has them leave and kills them with kill -9, under calls that must not be repeated: each is executed at
// most once, and a call that succeeded exactly once; who failed is told that the node was lost. Only a kill may fail any.
func TestAtMostOnce(t *testing.T) {
	w := newWorld(t)
	nodes := w.three(t)
	jobs := imagev1.NewJobsService(service, w.client)
	var made atomic.Int64
	var mu sync.Mutex
	succeeded, failed := map[string]bool{}, map[string]error{}
	l := startLoad(t, 300, func(ctx context.Context) (*greeterv1.HelloResponse, error) {
		id := fmt.Sprint("call", made.Add(1))
		_, err := jobs.Create(ctx, &imagev1.CreateJobRequest{ImageId: id})
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			succeeded[id] = true
		} else {
			failed[id] = err
		}
		return nil, err
	})
	// A frozen node answers when it thaws: nothing may be taken from it, nor fail.
	l.lasts(t, time.Second)
	nodes[2].Freeze()
	l.lasts(t, time.Second)
	nodes[2].Thaw()
	l.lasts(t, time.Second)
	// Those that run on a node that leaves are finished, and those that meet its leaving have not begun.
	for _, n := range nodes {
		leave(t, n)
		n.Start()
	}
	mu.Lock()
	if len(failed) > 0 {
		t.Errorf("%d calls failed for a node that was frozen for a second, and for three that left", len(failed))
	}
	mu.Unlock()
	for _, n := range nodes[:2] {
		l.lasts(t, time.Second)
		n.Kill()
		l.lasts(t, time.Second)
		n.Start()
	}
	w.answers(t, "n0", "n1", "n2")
	l.end()
	times := map[string]int{}
	for _, line := range w.notes(t) {
		id, _, _ := strings.Cut(line, " ")
		times[id]++
	}
	t.Logf("kill -9 of two under %d calls that must not be repeated: %d failed, %d of those had been executed", made.Load(), len(failed), executed(failed, times))
	for id, n := range times {
		if n > 1 {
			t.Errorf("%s was executed %d times", id, n)
		}
	}
	for id := range succeeded {
		if times[id] != 1 {
			t.Errorf("%s succeeded and was executed %d times", id, times[id])
		}
	}
	for id, err := range failed {
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s failed as %v", id, err)
		}
	}
}

func executed(failed map[string]error, times map[string]int) (n int) {
	for id := range failed {
		n += times[id]
	}
	return n
}

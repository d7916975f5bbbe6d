package rpc

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"go-micro.dev/v4/client"

	"calotype/kit/fault"
	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

// chain is three services that call each other; the last hop is where the work is.
func chain(t *testing.T) (w *world, first greeterv1.GreeterService, nodes map[string]*servers.Process) {
	t.Helper()
	w, nodes = newWorld(t), map[string]*servers.Process{}
	for _, hop := range []struct{ name, next string }{{"third", ""}, {"second", "third"}, {"first", "second"}} {
		nodes[hop.name] = w.start(t, hop.name, "RPC_TEST_SERVICE="+hop.name, "RPC_TEST_NEXT="+hop.next)
	}
	first = greeterv1.NewGreeterService("first", w.client)
	eventually(t, "the whole way stands", func() bool {
		_, err := first.Hello(t.Context(), &greeterv1.HelloRequest{Name: "relay:relay:"})
		return err == nil
	})
	return w, first, nodes
}

// stamps are the moments that the last hop wrote down under a name.
func (w *world) stamps(t *testing.T, name string) (at []time.Time) {
	t.Helper()
	for _, line := range w.notes(t) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Unix(0, n))
		}
	}
	return at
}

// TestWorkStopsWithItsCaller lets callers leave in every way there is: the last of three hops must stop within 100 ms.
func TestWorkStopsWithItsCaller(t *testing.T) {
	w, first, nodes := chain(t)
	once := client.WithRetries(0) // the caller's own death must not look like the node's
	for i, how := range []struct {
		name  string
		leave func(cancel context.CancelFunc) time.Time
	}{
		{"it cancels", func(cancel context.CancelFunc) time.Time { cancel(); return time.Now() }},
		{"its deadline of 200 ms passes", nil},
		{"the hop between is killed", func(context.CancelFunc) time.Time { at := time.Now(); nodes["second"].Kill(); return at }},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		if how.leave == nil {
			ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		}
		answered := make(chan error, 1)
		go func() {
			_, err := first.Hello(ctx, &greeterv1.HelloRequest{Name: "relay:relay:wait"}, once)
			answered <- err
		}()
		eventually(t, "the last hop works", func() bool { return len(w.stamps(t, "begin")) == i+1 })
		left := began.Add(200 * time.Millisecond)
		if how.leave != nil {
			left = how.leave(cancel)
		}
		eventually(t, "the last hop has stopped", func() bool { return len(w.stamps(t, "end")) == i+1 })
		err := <-answered
		cancel()
		took := w.stamps(t, "end")[i].Sub(left)
		t.Logf("%s: the last hop stopped %v after; the caller was told %v", how.name, took.Round(100*time.Microsecond), err)
		if took > 100*time.Millisecond {
			late(t, "%s: the last hop stopped only %v after", how.name, took)
		}
		if how.leave == nil && fault.KindOf(err) != fault.Deadline {
			t.Errorf("%s: the caller got %v", how.name, err)
		}
		if err == nil || errors.Is(err, context.Canceled) && how.leave == nil {
			t.Errorf("%s: the caller got %v", how.name, err)
		}
	}
}

// TestEachHopHasLessTime asks the last hop how long it has.
func TestEachHopHasLessTime(t *testing.T) {
	_, first, _ := chain(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	r, err := first.Hello(ctx, &greeterv1.HelloRequest{Name: "relay:relay:left"})
	if err != nil {
		t.Fatal(err)
	}
	has, err := time.ParseDuration(r.GetMessage())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("of 2s the last of three hops has %v", has)
	if has <= 0 || has > 2*time.Second-2*15*time.Millisecond {
		t.Errorf("of 2s the last of three hops has %v", has)
	}
}

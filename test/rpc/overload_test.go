package rpc

import (
	"context"
	"fmt"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
)

const (
	slots = 100 // calls a second that one node can do: four slots of 40 ms each
	most  = 64  // calls at once that one node ever handles
)

// TestOverload asks a node, and then three together, for five times what they can do. They must go on doing four fifths of that, in no
// more than twice the time that a full server takes, turn the rest away quickly and with a time to come again, prefer what is
// interactive, and be themselves again within 5 s.
func TestOverload(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) { overload(t, nodes) })
	}
}

func overload(t *testing.T, nodes int) {
	w := newWorld(t)
	capacity := nodes * slots
	var ids []string
	for i := range nodes {
		ids = append(ids, fmt.Sprint("n", i))
		w.start(t, ids[i], "CALOTYPE_RPC__SHEDDING__MIN=8", fmt.Sprint("CALOTYPE_RPC__SHEDDING__MAX=", most))
	}
	w.answers(t, ids...)
	work := func(p rpc.Priority) func(context.Context) (*greeterv1.HelloResponse, error) {
		return func(ctx context.Context) (*greeterv1.HelloResponse, error) {
			return w.greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "work"}, rpc.WithPriority(p))
		}
	}
	peakFor, overFor := lasting(5*time.Second, 2*time.Second), lasting(30*time.Second, 5*time.Second)
	began := time.Now()
	peak := startLoad(t, capacity, work(rpc.Normal))
	peak.lasts(t, peakFor)
	peak.end()
	best := goodput(peak.outcome(began, peakFor), peakFor)

	// The overload is bulk, normal and interactive, as 4 to 5 to 1.
	over := map[rpc.Priority]*load{}
	began = time.Now()
	for p, rate := range map[rpc.Priority]int{rpc.Bulk: 2 * capacity, rpc.Normal: 5 * capacity / 2, rpc.Interactive: capacity / 2} {
		over[p] = startLoad(t, rate, work(p))
	}
	over[rpc.Bulk].lasts(t, overFor)
	for _, l := range over {
		l.stop()
	}
	relieved := time.Now()
	for _, l := range over {
		l.end()
	}
	var all outcome
	var urgent float64 // the share of the interactive calls that was done
	for _, p := range []rpc.Priority{rpc.Interactive, rpc.Normal, rpc.Bulk} {
		o := over[p].outcome(began, overFor)
		all.add(o)
		t.Logf("%s: %d calls, %d done (p99 %v), %d turned away (p50 %v, p99 %v), %d failed otherwise", p, o.calls(), len(o.done), quantile(o.done, .99),
			len(o.turned), quantile(o.turned, .5), quantile(o.turned, .99), len(o.failed))
		for _, err := range o.failed {
			if fault.Is(err, fault.Deadline) {
				late(t, "%s: %v", p, err)
			} else {
				t.Error(err)
			}
		}
		share := float64(len(o.done)) / float64(o.calls())
		if p == rpc.Interactive && share < .95 {
			late(t, "only %.0f%% of the interactive calls were done, and they alone are half of the capacity", 100*share)
		}
		if p == rpc.Interactive {
			urgent = share
		} else if p == rpc.Bulk && share >= urgent {
			t.Errorf("%.0f%% of the bulk calls were done, of the interactive ones %.0f%%", 100*share, 100*urgent)
		}
	}
	good := goodput(all, overFor)
	t.Logf("goodput: %.0f/s at capacity, %.0f/s at 5 times that (%.0f%%); done p99 %v; turned away p50 %v, p99 %v",
		best, good, 100*good/best, quantile(all.done, .99), quantile(all.turned, .5), quantile(all.turned, .99))
	if good < .8*best {
		late(t, "goodput fell to %.0f/s of %.0f/s", good, best)
	}
	if len(all.turned) == 0 || len(all.done) == 0 {
		t.Errorf("%d calls were turned away, %d done", len(all.turned), len(all.done))
	}
	if p99 := quantile(all.turned, .99); p99 > 10*time.Millisecond {
		late(t, "the 99th percentile of being turned away is %v", p99)
	}
	// What a call takes with as many others as the limit ever allows.
	limit := time.Second * most / slots
	if p99 := quantile(all.done, .99); p99 > 2*limit {
		late(t, "what was done took %v at the 99th percentile, want at most twice %v", p99, limit)
	}

	// Half of the capacity, from now on: how long until a whole second passes without a refusal.
	after := startLoad(t, capacity/2, work(rpc.Normal))
	eventually(t, "a second without a refusal", func() bool {
		if time.Since(relieved) < time.Second {
			return false
		}
		o := after.outcome(time.Now().Add(-time.Second), time.Second)
		return len(o.done) > 0 && len(o.turned)+len(o.failed) == 0 && (!alone || len(o.done) > capacity/4 && quantile(o.done, .99) < time.Second)
	})
	t.Logf("back to normal %v after the overload, a second of watching included", time.Since(relieved).Round(time.Millisecond))
	if d := time.Since(relieved); d > 5*time.Second {
		late(t, "back to normal only after %v", d)
	}
}

// outcome is what became of calls; the times are sorted.
type outcome struct {
	done, turned []time.Duration
	failed       []error
}

func (o outcome) calls() int { return len(o.done) + len(o.turned) + len(o.failed) }

func (o *outcome) add(other outcome) {
	o.done, o.turned, o.failed = merge(o.done, other.done), merge(o.turned, other.turned), append(o.failed, other.failed...)
}

func goodput(o outcome, d time.Duration) float64 { return float64(len(o.done)) / d.Seconds() }

func (l *load) outcome(from time.Time, d time.Duration) (o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if s.began.Before(from) || s.began.After(from.Add(d)) {
			continue
		}
		switch f := fault.As(s.err); {
		case s.err == nil:
			o.done = append(o.done, s.took)
		case f != nil && f.Reason == rpc.ReasonOverloaded && f.RetryAfter > 0:
			o.turned = append(o.turned, s.took)
		default:
			o.failed = append(o.failed, s.err)
		}
	}
	o.done, o.turned = merge(o.done, nil), merge(o.turned, nil)
	return o
}

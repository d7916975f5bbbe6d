// Package bench measures what is said to be quick, always beside what it is compared with, in one run and in turns: a machine
// that is busy with other things slows both. Printed are the medians of the ratios of each turn.
package bench

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// turns is how often each side is measured, for turn each time.
const (
	turns = 7
	turn  = 400 * time.Millisecond
)

// figures are one turn's.
type figures struct{ rate, p50, p99, cpu float64 }

// measure makes calls from several callers for one turn.
func measure(tb testing.TB, callers int, call func(context.Context) error) figures {
	ctx := context.Background()
	for range 2 * callers { // connections, pools and the branch predictor
		if err := call(ctx); err != nil {
			tb.Fatal(err)
		}
	}
	var stop atomic.Bool
	all := make([][]time.Duration, callers)
	var wait sync.WaitGroup
	began, before := time.Now(), used()
	for i := range callers {
		wait.Go(func() {
			for !stop.Load() {
				at := time.Now()
				if err := call(ctx); err != nil {
					tb.Error(err)
					return
				}
				all[i] = append(all[i], time.Since(at))
			}
		})
	}
	timer := time.AfterFunc(turn, func() { stop.Store(true) })
	defer timer.Stop()
	wait.Wait()
	took, cpu := time.Since(began), used()-before
	took1 := slices.Concat(all...)
	slices.Sort(took1)
	if len(took1) == 0 {
		tb.Fatal("no call was made")
	}
	at := func(q float64) float64 { return float64(took1[int(q*float64(len(took1)-1))].Microseconds()) }
	return figures{
		rate: float64(len(took1)) / took.Seconds(), p50: at(.5), p99: at(.99), cpu: float64(cpu.Microseconds()) / float64(len(took1)),
	}
}

// used is the processor time of this process: of clients and servers together.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// beside measures two ways of making the same call in turns and reports the one as a ratio to the other.
func beside(b *testing.B, callers int, theirs, ours func(context.Context) error) {
	for b.Loop() {
		var rate, p50, p99, cpu, mine, their, myCPU, theirCPU []float64
		for i := range turns {
			var t, o figures
			if i%2 == 0 {
				t = measure(b, callers, theirs)
				o = measure(b, callers, ours)
			} else {
				o = measure(b, callers, ours)
				t = measure(b, callers, theirs)
			}
			rate, p50, p99, cpu = append(rate, o.rate/t.rate), append(p50, o.p50/t.p50), append(p99, o.p99/t.p99), append(cpu, o.cpu/t.cpu)
			mine, their = append(mine, o.rate), append(their, t.rate)
			myCPU, theirCPU = append(myCPU, o.cpu), append(theirCPU, t.cpu)
		}
		b.ReportMetric(0, "ns/op")
		for unit, values := range map[string][]float64{
			"x-calls/s": rate, "x-p50": p50, "x-p99": p99, "x-cpu": cpu,
			"calls/s": mine, "their-calls/s": their, "cpu-us": myCPU, "their-cpu-us": theirCPU,
		} {
			b.ReportMetric(median(values), unit)
		}
	}
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

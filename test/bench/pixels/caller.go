package pixels

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Call makes what a task wants of an original, its index among the files, and tells how many pictures and bytes that was.
type Call func(file int) (pictures int, bytes int64, err error)

// Turn makes calls from several callers at once, over all files, a number of rounds. Used is the processor time that counts.
func Turn(tb testing.TB, files, rounds, callers int, used func() time.Duration, call Call) Lap {
	tb.Helper()
	if _, _, err := call(0); err != nil { // connections, pools and the branch predictor
		tb.Fatal(err)
	}
	var next, pictures, bytes atomic.Int64
	took := make([][]time.Duration, callers)
	var wait sync.WaitGroup
	began, before := time.Now(), used()
	for i := range callers {
		wait.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= files*rounds {
					return
				}
				at := time.Now()
				made, size, err := call(n % files)
				if err != nil {
					tb.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(at))
				pictures.Add(int64(made))
				bytes.Add(size)
			}
		})
	}
	wait.Wait()
	l := Lap{Pictures: int(pictures.Load()), Wall: time.Since(began), CPU: used() - before, Bytes: bytes.Load()}
	all := slices.Concat(took...)
	if tb.Failed() || len(all) == 0 {
		tb.FailNow()
	}
	slices.Sort(all)
	l.P50, l.P99 = all[(len(all)-1)/2], all[int(float64(len(all)-1)*.99)]
	return l
}

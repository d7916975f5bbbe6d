package s3_test

import (
	"runtime"
	"runtime/metrics"
	"time"

	"calotype/kit/fault"
)

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return fault.ReasonOf(err)
}

// heapWatch looks at how large the heap becomes.
type heapWatch struct {
	ended, done chan struct{}
	before, top int64
}

func heap() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

func watchHeap() *heapWatch {
	runtime.GC()
	w := &heapWatch{ended: make(chan struct{}), done: make(chan struct{}), before: heap()}
	go func() {
		defer close(w.done)
		often := time.NewTicker(2 * time.Millisecond)
		defer often.Stop()
		for {
			w.top = max(w.top, heap())
			select {
			case <-often.C:
			case <-w.ended:
				return
			}
		}
	}()
	return w
}

// stop gives by how much it grew.
func (w *heapWatch) stop() int64 {
	close(w.ended)
	<-w.done
	return w.top - w.before
}

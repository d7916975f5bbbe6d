package app

import (
	"context"
	"runtime/debug"
	"time"

	"calotype/services/image/internal/originals"
	"calotype/services/image/internal/pipeline"
	"calotype/services/image/internal/worker"
)

// pause is how often a node looks whether it works. Twice without work, and it gives back what it does not need.
const pause = 5 * time.Second

// release gives memory back to the system once a node has nothing to do. By themselves neither Go nor the C library does it: the one
// gives back over minutes, the other only the end of its heap.
func release(ctx context.Context, w *worker.Worker, e decoder, kept *originals.Store) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var used, bytes, given int64
	var idle int
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, held := e.calls(), kept.Bytes()
		_, inFlight, _ := w.Load()
		if inFlight > 0 || now != used {
			used, idle = now, 0
			continue
		}
		if idle++; idle < 2 || now == given && held == bytes {
			continue
		}
		given, bytes = now, held
		debug.FreeOSMemory()
		pipeline.Release()
	}
}

package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"calotype/kit/fault"
)

const (
	// maxTogether and maxWeight bound what shares a transaction, and so how long the first waits for the others.
	maxTogether, maxWeight = 256, 1000
	// slow is when a transaction has lasted so long that what waits for it is begun beside it: it may wait for a lock.
	slow = 50 * time.Millisecond
	// few writes of a transaction are no reason to have the next wait.
	few = 4
	// pace is how often changes of jobs are written while many come: most are reports, which nobody waits for.
	pace = 20 * time.Millisecond
)

// lanes write. A transaction costs several round trips and a sync of the server's disk, so the writes that come while one is under way
// share the next.
type lanes[W any] struct {
	most  int
	pace  time.Duration // see rest
	weigh func(W) int
	do    func(ctx context.Context, together []W) error

	mu      sync.Mutex
	closed  bool
	ending  chan struct{} // closed when closed is set
	waiting []*waiting[W]
	running int // lanes
	slow    int // those of them whose transactions take long
	lanes   sync.WaitGroup
}

type waiting[W any] struct {
	ctx   context.Context
	write W
	done  chan error
}

// newLanes makes up to most transactions at once. do makes all of the writes in one, or returns an error and none of them.
func newLanes[W any](most int, weigh func(W) int, do func(context.Context, []W) error) *lanes[W] {
	return &lanes[W]{most: most, weigh: weigh, do: do, ending: make(chan struct{})}
}

// close waits for the transactions that are under way; what waits for them is not made.
func (l *lanes[W]) close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.ending)
	}
	for _, one := range l.waiting {
		one.done <- errClosed()
	}
	l.waiting = nil
	l.mu.Unlock()
	l.lanes.Wait()
}

func errClosed() error {
	return fault.New(fault.Unavailable, "STORE_CLOSED", "the job store is closed")
}

// write returns once w is made, or is not. A caller that leaves while it is being made waits for what comes of it.
func (l *lanes[W]) write(ctx context.Context, w W) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	one := &waiting[W]{ctx: ctx, write: w, done: make(chan error, 1)}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return errClosed()
	}
	l.waiting = append(l.waiting, one)
	l.begin()
	l.mu.Unlock()
	select {
	case err := <-one.done:
		return err
	case <-ctx.Done():
	}
	if l.quit(one) {
		return ctx.Err()
	}
	return <-one.done
}

// quit takes back what is not being made yet.
func (l *lanes[W]) quit(one *waiting[W]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, one)
	if i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
	return i >= 0
}

// begin opens a lane for what waits, unless one will soon have time for it. It is called with the lock.
func (l *lanes[W]) begin() {
	if l.closed || len(l.waiting) == 0 || l.running > l.slow || l.running == l.most {
		return
	}
	l.running++
	l.lanes.Go(func() {
		for together := l.gather(); len(together) > 0; together = l.gather() {
			began := time.Now()
			l.watched(func() { l.make(together) })
			l.rest(began, len(together))
		}
	})
}

// rest lets more come together while much comes: what a transaction costs, whatever is in it, is shared by the more the later it begins.
// Who writes little at a time waits for nothing.
func (l *lanes[W]) rest(began time.Time, writes int) {
	if l.pace == 0 || writes < few {
		return
	}
	l.mu.Lock()
	enough := len(l.waiting) >= maxTogether
	l.mu.Unlock()
	if enough {
		return
	}
	t := time.NewTimer(l.pace - time.Since(began))
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.ending:
	}
}

// watched lets other lanes begin when a transaction takes long.
func (l *lanes[W]) watched(transaction func()) {
	var isSlow, over bool // with the lock
	late := time.AfterFunc(slow, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !over {
			isSlow = true
			l.slow++
			l.begin()
		}
	})
	transaction()
	late.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if over = true; isSlow {
		l.slow--
	}
}

// gather takes what waits; it never waits itself. With nothing, the lane is closed.
func (l *lanes[W]) gather() []*waiting[W] {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for weight := 0; n < min(len(l.waiting), maxTogether) && weight < maxWeight; n++ {
		weight += l.weigh(l.waiting[n].write)
	}
	if n == 0 {
		l.running--
	}
	together := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return together
}

// make makes writes together, and one by one where one of them spoils it for the others.
func (l *lanes[W]) make(together []*waiting[W]) {
	writes := make([]W, 0, len(together))
	asked := together[:0]
	for _, one := range together {
		if err := one.ctx.Err(); err != nil {
			one.done <- err
			continue
		}
		writes, asked = append(writes, one.write), append(asked, one)
	}
	if len(asked) == 0 {
		return
	}
	// The callers' contexts are many; one that ends must not undo the others' work. What is done bounds itself.
	err := l.guarded(context.Background(), writes)
	if err == nil || len(asked) == 1 || fault.Is(err, fault.Unavailable) {
		for _, one := range asked {
			one.done <- err
		}
		return
	}
	for _, one := range asked {
		one.done <- l.guarded(context.Background(), []W{one.write})
	}
}

// guarded keeps a panic, of a caller's function for example, from ending the process.
func (l *lanes[W]) guarded(ctx context.Context, writes []W) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Wrap(fmt.Errorf("panic: %v", p), fault.Internal, "", "a defect in the job store")
		}
	}()
	return l.do(ctx, writes)
}

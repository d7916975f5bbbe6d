package postgres

import (
	"context"
	"fmt"
	"sync"

	"calotype/kit/fault"
)

// maxTogether bounds what shares a transaction, and so how long the first waits for the others.
const maxTogether, maxWeight = 64, 1000

// lanes are goroutines that write. A transaction costs several round trips and a sync of the server's disk, so the writes that wait at
// the same time share one.
type lanes[W any] struct {
	queue   chan *waiting[W]
	weigh   func(W) int
	do      func(ctx context.Context, together []W) error
	stop    chan struct{}
	once    sync.Once
	stopped sync.WaitGroup
}

type waiting[W any] struct {
	ctx   context.Context
	write W
	done  chan error
}

// startLanes runs n. do makes all of the writes in one transaction, or returns an error and none of them.
func startLanes[W any](n int, weigh func(W) int, do func(context.Context, []W) error) *lanes[W] {
	l := &lanes[W]{queue: make(chan *waiting[W]), weigh: weigh, do: do, stop: make(chan struct{})}
	for range n {
		l.stopped.Go(l.run)
	}
	return l
}

func (l *lanes[W]) close() {
	l.once.Do(func() { close(l.stop) })
	l.stopped.Wait()
}

// write returns once w is made, or is not. A caller that leaves while it is being made waits for what comes of it.
func (l *lanes[W]) write(ctx context.Context, w W) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	one := &waiting[W]{ctx: ctx, write: w, done: make(chan error, 1)}
	select {
	case l.queue <- one:
		return <-one.done
	case <-ctx.Done():
		return ctx.Err()
	case <-l.stop:
		return fault.New(fault.Unavailable, "STORE_CLOSED", "the job store is closed")
	}
}

func (l *lanes[W]) run() {
	for {
		select {
		case one := <-l.queue:
			l.make(l.gather(one))
		case <-l.stop:
			return
		}
	}
}

// gather takes what waits already; it never waits itself.
func (l *lanes[W]) gather(first *waiting[W]) []*waiting[W] {
	together := []*waiting[W]{first}
	for weight := l.weigh(first.write); len(together) < maxTogether && weight < maxWeight; {
		select {
		case one := <-l.queue:
			together = append(together, one)
			weight += l.weigh(one.write)
		default:
			return together
		}
	}
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

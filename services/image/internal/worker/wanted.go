package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

// Desk knows what became of a job meanwhile.
type Desk interface {
	// Ended reports whether a job has ended, or is forgotten: nobody waits for its results. It fails when nobody can tell.
	Ended(ctx context.Context, id job.ID) (bool, error)
	// Watch returns nil as soon as a job has ended, or is forgotten. It fails when nobody can tell any longer.
	Watch(ctx context.Context, id job.ID) error
}

// errUnwanted ends work whose job was cancelled, or deleted with its image.
var errUnwanted = errors.New("the job has ended meanwhile")

// look is how long the desk may take to answer.
const look = 2 * time.Second

// whileWanted gives a context that ends with errUnwanted soon after the job has. The desk is asked almost at once (the work of a few milliseconds
// is done sooner than a question answered), is watched once the work
// lasts a little, and is asked again now and then, for a watch may be with a manager that is frozen. All of it is beside the work,
// which waits for no answer, and goes on without one. Call stop when the work is done.
func (c *Consumer) whileWanted(ctx context.Context, id job.ID) (_ context.Context, stop func()) {
	if c.parts.Desk == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	until := func(unwanted func() bool) func() {
		return func() {
			for ; ctx.Err() == nil; pause(ctx, c.paces.ask) {
				if unwanted() {
					cancel(errUnwanted)
				}
			}
		}
	}
	asking := after(c.paces.first, until(func() bool { return c.ended(ctx, id) }))
	watching := after(c.paces.watch, until(func() bool { return c.parts.Desk.Watch(ctx, id) == nil }))
	return ctx, sync.OnceFunc(func() {
		cancel(nil)
		asking()
		watching()
	})
}

// after does something after a while. The end that it gives sees that it is not begun any more, or waits for it. What most work is too
// short for costs a timer so, and no goroutine.
func after(d time.Duration, do func()) (end func()) {
	done := make(chan struct{})
	t := time.AfterFunc(d, func() {
		defer close(done)
		do()
	})
	return func() {
		if !t.Stop() {
			<-done
		}
	}
}

func (c *Consumer) ended(ctx context.Context, id job.ID) bool {
	ctx, cancel := context.WithTimeout(ctx, look)
	defer cancel()
	ended, err := c.parts.Desk.Ended(ctx, id)
	return err == nil && ended
}

// pause reports whether ctx lasted that long.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

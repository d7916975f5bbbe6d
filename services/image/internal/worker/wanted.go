package worker

import (
	"context"
	"errors"
	"time"

	"calotype/services/image/internal/job"
)

// Desk knows what became of a job meanwhile.
type Desk interface {
	// Ended reports whether a job has ended, or is forgotten: nobody waits for its results. It fails when nobody can tell.
	Ended(ctx context.Context, id job.ID) (bool, error)
}

// errUnwanted ends work whose job was cancelled, or deleted with its image.
var errUnwanted = errors.New("the job has ended meanwhile")

// look is how long the desk may take to answer.
const look = 2 * time.Second

// whileWanted gives a context that ends with errUnwanted soon after the job has. The desk is asked beside the work, at once and then
// at every interval: the work waits for no answer, and goes on without one. Call stop when the work is done.
func (c *Consumer) whileWanted(ctx context.Context, id job.ID) (_ context.Context, stop func()) {
	if c.parts.Desk == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(c.interval)
		defer tick.Stop()
		for {
			if c.ended(ctx, id) {
				cancel(errUnwanted)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

func (c *Consumer) ended(ctx context.Context, id job.ID) bool {
	ctx, cancel := context.WithTimeout(ctx, look)
	defer cancel()
	ended, err := c.parts.Desk.Ended(ctx, id)
	return err == nil && ended
}

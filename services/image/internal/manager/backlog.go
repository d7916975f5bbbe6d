package manager

import (
	"context"
	"sync/atomic"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const backlogPause = 5 * time.Second // what a caller is told to wait

// backlog bounds what waits for the queue: beyond the limit no further job is accepted. The count is of the last look, and what was
// accepted and relayed here since; other managers' share is a second behind.
type backlog struct {
	outbox job.Outbox
	limit  int
	count  atomic.Int64
}

// admit fails with fault.Unavailable, reason BACKLOG_FULL, when n messages more are too many.
func (b *backlog) admit(n int) error {
	if b.count.Load()+int64(n) <= int64(b.limit) {
		return nil
	}
	f := fault.New(fault.Unavailable, "BACKLOG_FULL", "%d jobs wait for the queue, and no more may; nothing was accepted", b.count.Load())
	f.RetryAfter = backlogPause
	return f
}

func (b *backlog) add(n int) { b.count.Add(int64(n)) }

// look counts anew.
func (b *backlog) look(ctx context.Context) {
	if n, err := b.outbox.Backlog(ctx); err == nil {
		b.count.Store(int64(n))
	}
}

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
	limit  atomic.Int64
	count  atomic.Int64
}

// reserve takes room for n messages more, or fails with fault.Unavailable, reason BACKLOG_FULL. What needs none is never refused.
func (b *backlog) reserve(n int) error {
	if n == 0 {
		return nil
	}
	waiting := b.count.Add(int64(n))
	limit := b.limit.Load()
	if waiting <= limit {
		return nil
	}
	b.free(n)
	f := fault.New(fault.Unavailable, "BACKLOG_FULL", "%d jobs wait for the queue, and no more than %d may; nothing was accepted", waiting-int64(n), limit)
	f.RetryAfter = backlogPause
	return f
}

// free gives room back: of messages that were not kept, or that the queue has.
func (b *backlog) free(n int) { b.count.Add(-int64(n)) }

// look counts anew.
func (b *backlog) look(ctx context.Context) {
	if n, err := b.outbox.Backlog(ctx); err == nil {
		b.count.Store(int64(n))
	}
}

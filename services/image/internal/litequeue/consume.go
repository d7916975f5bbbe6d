package litequeue

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

// consumer is one call of Consume.
type consumer struct {
	q      *Queue
	topic  string
	slots  int
	handle job.Handler
	ctx    context.Context // of handlers: it has Consume's values, not its end

	woken chan struct{} // something was published, or settled
	freed chan struct{} // a handler returned

	mu      sync.Mutex
	running map[*lease]struct{} // until it is settled
	busy    int                 // handlers
	alone   bool                // a message that was lost before runs
	tasks   sync.WaitGroup
}

// Consume is job.Queue's. It fails only when the queue is closed under it.
func (q *Queue) Consume(ctx context.Context, topic string, slots int, handle job.Handler) error {
	c := &consumer{
		q: q, topic: topic, slots: max(slots, 1), handle: handle, ctx: context.WithoutCancel(ctx),
		woken: make(chan struct{}, 1), freed: make(chan struct{}, 1), running: map[*lease]struct{}{},
	}
	if err := q.enter(c); err != nil {
		return err
	}
	defer q.leave(c)
	renewing, stop := context.WithCancel(c.ctx)
	var renewer sync.WaitGroup
	renewer.Go(func() { c.renew(renewing) })
	c.loop(ctx)
	q.taking.Done()
	c.tasks.Wait()
	stop()
	renewer.Wait()
	if closed(q.ending) && ctx.Err() == nil {
		return errClosed()
	}
	return nil
}

// loop takes messages while there are free slots. It asks again when there may be more: when it was woken, when the next is due,
// and when a slot comes free after it got all it asked for.
func (c *consumer) loop(ctx context.Context) {
	more := true // there may be something to take
	timer := time.NewTimer(0)
	defer timer.Stop()
	tries := 0
	share := job.Turns{}
	for ctx.Err() == nil && !closed(c.q.ending) {
		if free, idle := c.free(); more && free > 0 {
			got := claim{topic: c.topic, limit: free, idle: idle, turns: share}
			if err := c.q.do(ctx, false, func(t tx) error { return c.q.take(t, &got) }); err != nil {
				if ctx.Err() != nil || closed(c.q.closing) {
					return
				}
				c.q.log.Warn("messages cannot be taken", "topic", c.topic, "error", err)
				c.q.pause(ctx, tries)
				tries++
				continue
			}
			tries = 0
			c.q.count(got)
			more = len(got.leases) == free || got.held || got.alone
			c.begin(got)
			if got.dead {
				c.q.wake(c.topic + deadSuffix)
			}
			if !got.next.IsZero() {
				timer.Reset(time.Until(got.next))
			}
		}
		select {
		case <-ctx.Done():
		case <-c.q.ending:
		case <-c.woken:
			more = true
		case <-timer.C:
			more = true
		case <-c.freed:
		}
	}
}

// free tells how many slots may be filled, and whether nothing runs.
func (c *consumer) free() (free int, idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alone {
		return 0, false
	}
	return c.slots - c.busy, c.busy == 0
}

func (c *consumer) begin(got claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone = got.alone
	for _, l := range got.leases {
		l.start(c.ctx)
		c.running[l] = struct{}{}
		c.busy++
		c.tasks.Go(func() { c.work(l) })
	}
	if closed(c.q.ending) {
		c.cancelLocked()
	}
}

// work handles one delivery. Its slot is free before what was decided is written down, so that the next claim and it share a
// transaction.
func (c *consumer) work(l *lease) {
	var verdict job.Verdict
	var panicked bool
	if l.ctx.Err() == nil { // a slow disk may have eaten the lease
		verdict, panicked = c.call(l)
	}
	c.mu.Lock()
	c.busy--
	if c.busy == 0 {
		c.alone = false
	}
	c.mu.Unlock()
	signal(c.freed)
	if !l.settle(verdict, panicked) && closed(c.q.ending) {
		c.q.orphan(l)
	}
	c.mu.Lock()
	delete(c.running, l)
	c.mu.Unlock()
	l.stop()
}

// call runs the handler. A panic costs a delivery, not the process; a message that always panics is set aside.
func (c *consumer) call(l *lease) (v job.Verdict, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			c.q.log.Error("a handler panicked", "topic", c.topic, "message", l.ID, "attempt", l.Attempt, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return c.handle(l.ctx, l.Delivery), false
}

func (c *consumer) cancelAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancelLocked()
}

func (c *consumer) cancelLocked() {
	for l := range c.running {
		l.cancel()
	}
}

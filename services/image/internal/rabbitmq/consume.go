package rabbitmq

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"calotype/kit/crew"
	"calotype/services/image/internal/job"
)

// consumer is one call of Consume. It outlives connections.
type consumer struct {
	q      *Queue
	topic  string
	slots  int
	handle job.Handler
	ctx    context.Context // of handlers: it has Consume's values, not its end
	turns  job.Turns
	freed  chan struct{} // a handler returned

	mu      sync.Mutex
	running map[*delivery]struct{}
	busy    int               // handlers, those that work in vain included
	held    map[job.Class]int // messages that wait in this process for a slot
	tasks   sync.WaitGroup
	crew    *crew.Crew
}

// Consume is job.Queue's. It fails only when the queue is closed under it.
func (q *Queue) Consume(ctx context.Context, topic string, slots int, handle job.Handler) error {
	c := &consumer{
		q: q, topic: topic, slots: max(slots, 1), handle: handle, ctx: context.WithoutCancel(ctx),
		turns: job.Turns{}, freed: make(chan struct{}, 1), running: map[*delivery]struct{}{}, held: map[job.Class]int{},
		crew: crew.New(),
	}
	if err := q.enter(c); err != nil {
		return err
	}
	defer q.leave(c)
	for tries := 0; ctx.Err() == nil && !closed(q.ending); tries++ {
		began, err := c.session(ctx)
		if began {
			tries = 0
		}
		if ctx.Err() == nil && !closed(q.ending) {
			if began || tries == 0 {
				q.log.Warn("consuming is interrupted", "topic", topic, "error", err)
			}
			q.wait(ctx, tries)
		}
	}
	q.sessions.Done()
	c.tasks.Wait()
	if closed(q.ending) && ctx.Err() == nil {
		return errClosed()
	}
	return nil
}

// delivery is a message that a handler works on.
type delivery struct {
	job.Delivery
	c      *consumer
	s      *session
	counts counted   // before this delivery
	since  time.Time // when it came
	ack    func() error
	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once // what is decided first counts
}

// begin runs a handler.
func (c *consumer) begin(d *delivery) {
	d.ctx, d.cancel = context.WithCancel(c.ctx)
	c.mu.Lock()
	c.running[d] = struct{}{}
	c.busy++
	c.mu.Unlock()
	c.tasks.Add(1)
	c.crew.Go(func() {
		defer c.tasks.Done()
		verdict, panicked := c.call(d)
		if d.ctx.Err() == nil {
			d.once.Do(func() { d.settle(d.ctx, verdict, panicked) })
		}
		d.cancel()
		c.mu.Lock()
		delete(c.running, d)
		c.busy--
		c.mu.Unlock()
		signal(c.freed)
	})
}

// call runs the handler. A panic costs a delivery, not the process; a message that always panics is set aside.
func (c *consumer) call(d *delivery) (v job.Verdict, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			panicked = true
			c.q.log.Error("a handler panicked", "topic", c.topic, "message", d.ID, "attempt", d.Attempt, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return c.handle(d.ctx, d.Delivery), false
}

func (c *consumer) occupied() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy
}

// those gives what a session's handlers work on.
func (c *consumer) those(s *session) (all []*delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for d := range c.running {
		if d.s == s {
			all = append(all, d)
		}
	}
	return all
}

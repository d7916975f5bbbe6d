package worker

import (
	"context"
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

const (
	couriers = 2  // messages on their way at once
	together = 64 // reports in one
	// outOfTouch is how long a message may take, whoever waits for it.
	outOfTouch = 30 * time.Second
)

// courier brings reports to the queue. What is told while others are on their way goes with the next, together in one message: a node
// that does much costs the brokers and the managers little more than one that does not, and one that does little waits for nobody.
type courier struct {
	queue   job.Queue
	mu      sync.Mutex
	waiting []errand
	running int
}

type errand struct {
	job.Told
	done chan error
}

// tell returns nil once the report is in the queue. With an error it may be there as well.
func (c *courier) tell(ctx context.Context, t job.Told) error {
	e := errand{Told: t, done: make(chan error, 1)}
	c.mu.Lock()
	c.waiting = append(c.waiting, e)
	if c.running < couriers {
		c.running++
		go c.carry()
	}
	c.mu.Unlock()
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// carry works off what waits.
func (c *courier) carry() {
	for {
		c.mu.Lock()
		n := min(len(c.waiting), together)
		if n == 0 {
			c.running--
			c.mu.Unlock()
			return
		}
		batch := c.waiting[:n:n]
		c.waiting = c.waiting[n:]
		c.mu.Unlock()
		err := c.bring(batch)
		for _, e := range batch {
			e.done <- err
		}
	}
}

func (c *courier) bring(batch []errand) error {
	told := make([]job.Told, len(batch))
	for i, e := range batch {
		told[i] = e.Told
	}
	m, err := job.ReportsMessage(told...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), outOfTouch)
	defer cancel()
	return c.queue.Publish(ctx, job.Reports, m)
}

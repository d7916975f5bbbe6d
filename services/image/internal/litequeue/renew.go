package litequeue

import (
	"context"
	"time"
)

// renew keeps the leases of running deliveries, three times a lease. One that is lost has its context ended; so has one that
// could not be renewed in time, by its own clock.
func (c *consumer) renew(ctx context.Context) {
	tick := time.NewTicker(c.q.cfg.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.q.closing:
			return
		case <-tick.C:
		}
		if err := c.renewAll(ctx); err != nil {
			c.q.log.Warn("leases cannot be renewed", "topic", c.topic, "error", err)
		}
	}
}

func (c *consumer) renewAll(ctx context.Context) error {
	held := c.held()
	if len(held) == 0 {
		return nil
	}
	lost := make([]bool, len(held))
	until := time.Now().Add(c.q.cfg.Lease)
	err := c.q.do(ctx, false, func(t tx) error {
		for i, l := range held {
			ok, err := l.renew(t, until)
			if err != nil {
				return err
			}
			lost[i] = !ok
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, l := range held {
		if lost[i] {
			l.cancel() // or it was settled meanwhile, and nobody listens
		} else if l.expiry.Stop() {
			l.expiry.Reset(time.Until(until))
		}
	}
	return nil
}

func (c *consumer) held() []*lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := make([]*lease, 0, len(c.running))
	for l := range c.running {
		held = append(held, l)
	}
	return held
}

// leases gives all of the process's, and perhaps some that it lost.
func (q *Queue) leases() []*lease {
	var all []*lease
	for _, c := range q.all() {
		all = append(all, c.held()...)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return append(all, q.orphans...)
}

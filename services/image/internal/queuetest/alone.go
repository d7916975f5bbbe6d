package queuetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// company watches who runs beside whom in one consumer.
type company struct {
	t       *testing.T
	mu      sync.Mutex
	running int
	alone   bool // one that was lost before runs
}

func (c *company) enter(d job.Delivery) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running++; c.alone || d.Attempt > 1 && c.running > 1 {
		c.t.Errorf("attempt %d of %s has company, or is it", d.Attempt, d.ID)
	}
	c.alone = c.alone || d.Attempt > 1
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.running--; d.Attempt > 1 {
			c.alone = false
		}
	}
}

// neighboursLive: a message that kills its consumer is set aside after as many deliveries as it may lose. Those that ran beside it
// were lost with it, and are done at their next delivery, which they have for themselves; so has the guilty.
func neighboursLive(t *testing.T, x *exercise) {
	const limit = 3
	b := x.new(t, Settings{Lease: 600 * time.Millisecond, MaxDeliveries: limit})
	q := b.Connect(t)
	publish(t, q, "t", job.Message{ID: "a"}, job.Message{ID: "poison"}, job.Message{ID: "b"})
	done := make(chan job.Delivery, 100)
	deaths := 0
	for ; deaths < limit; deaths++ {
		victim := b.Connect(t)
		deadly, beside := make(chan int, 10), make(chan struct{}, 10)
		c := &company{t: t}
		go func() {
			_ = victim.Consume(context.Background(), "t", 3, func(ctx context.Context, d job.Delivery) job.Verdict {
				defer c.enter(d)()
				switch {
				case d.ID == "poison":
					deadly <- d.Attempt
					<-ctx.Done()
				case d.Attempt == 1 && len(d.Body) == 0: // what runs beside it, the first time
					beside <- struct{}{}
					<-ctx.Done()
				default:
					labour()
					if ctx.Err() == nil {
						done <- d
					}
				}
				return job.Done()
			})
		}()
		if deaths == 0 {
			receive(t, beside, "neighbour")
			receive(t, beside, "neighbour")
		}
		if got := receive(t, deadly, "delivery of the poisonous"); got != deaths+1 {
			t.Errorf("attempt %d is delivered %d deaths later", got, deaths)
		}
		if deaths == 0 { // more than its slots: something to be tempted by while it should be alone
			for _, m := range numbered(20) {
				publish(t, q, "t", m)
			}
		}
		victim.Kill()
	}
	consuming(t, q, "t", 3, func(_ context.Context, d job.Delivery) job.Verdict {
		done <- d
		return job.Done()
	})
	got, _ := collecting(t, q, "t.dead")
	if d := receive(t, got, "dead letter"); d.ID != "poison" {
		t.Errorf("%s was set aside", d.ID)
	}
	finished := map[string]bool{}
	for len(finished) < 22 {
		d := receive(t, done, "end of a harmless message")
		finished[d.ID] = true
		if d.ID == "poison" || d.Attempt > limit {
			t.Errorf("attempt %d of %s is done", d.Attempt, d.ID)
		}
	}
	empties(t, q, "t")
	if d := depth(t, q, "t.dead"); d.Ready > 0 || len(got) > 0 {
		t.Errorf("more was set aside: %+v", d)
	}
}

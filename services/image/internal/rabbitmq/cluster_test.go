package rabbitmq_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/queuetest"
	"calotype/services/image/internal/rabbitmq"
	"calotype/test/servers"
)

// TestCluster is what takes three nodes.
func TestCluster(t *testing.T) {
	c := servers.NewRabbitMQCluster(t, 3)
	t.Run("LeaderKilled", func(t *testing.T) { leaderKilled(t, c) })
	t.Run("AllAway", func(t *testing.T) { allAway(t, c) })
}

// ledger knows what was confirmed, and what came.
type ledger struct {
	mu              sync.Mutex
	confirmed, came map[string]bool
	repeated        int
	last            time.Time
	longest         time.Duration
}

func (l *ledger) confirm(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.confirmed[id] = true
}

func (l *ledger) arrive(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.came[id] {
		l.repeated++
	}
	l.came[id] = true
	if now := time.Now(); !l.last.IsZero() {
		l.longest = max(l.longest, now.Sub(l.last))
		l.last = now
	} else {
		l.last = now
	}
}

func (l *ledger) missing() (n, confirmed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.confirmed {
		if !l.came[id] {
			n++
		}
	}
	return n, len(l.confirmed)
}

// leaderKilled: the node that leads the queue dies by kill -9 again and again while others publish to it and consume from it.
// What was confirmed comes.
func leaderKilled(t *testing.T, c *servers.RabbitMQCluster) {
	n := newNamespace(queuetest.Settings{MaxDeliveries: 10}, c.URLs()...)
	consumer, publisher := n.open(t), n.open(t)
	l := &ledger{confirmed: map[string]bool{}, came: map[string]bool{}}
	for _, class := range job.Classes() {
		if err := publisher.Publish(t.Context(), job.Tasks, job.Message{ID: "first-" + string(class), Class: class}); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range c.Nodes {
		node.Sync()
	}
	consume(t, consumer, job.Tasks, 8, func(_ context.Context, d job.Delivery) job.Verdict {
		l.arrive(d.ID)
		return job.Done()
	})
	ctx, stop := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	var number, failed atomic.Int64
	for range 8 {
		publishing.Go(func() {
			for ctx.Err() == nil {
				i := number.Add(1)
				id := fmt.Sprint("m", i)
				if err := publisher.Publish(ctx, job.Tasks, job.Message{ID: id, Class: job.Classes()[i%3], Body: make([]byte, 1024)}); err == nil {
					l.confirm(id)
				} else if ctx.Err() == nil {
					failed.Add(1)
				}
			}
		})
	}
	grows := func(by int) {
		t.Helper()
		_, before := l.missing()
		until(t, "messages are confirmed and come", func() bool { _, now := l.missing(); return now >= before+by })
	}
	grows(500)
	for range 2 {
		leader := c.Leader(c.Nodes[0], n.cfg.Prefix+"tasks.normal")
		leader.Kill()
		grows(500)
		leader.Start()
		grows(500)
	}
	stop()
	publishing.Wait()
	until(t, "everything that was confirmed has come", func() bool { missing, _ := l.missing(); return missing == 0 })
	_, confirmed := l.missing()
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%d confirmed, none lost, %d came more than once, %d refused; the longest pause without any delivery was %v", confirmed, l.repeated, failed.Load(), l.longest)
}

// allAway: with every broker gone, publishing fails in time; when they are back, what was confirmed is there, and consumers go on.
func allAway(t *testing.T, c *servers.RabbitMQCluster) {
	n := newNamespace(queuetest.Settings{MaxDeliveries: 10}, c.URLs()...)
	n.cfg.ConfirmTimeout, n.cfg.PublishTimeout = time.Second, time.Second
	q := n.open(t)
	began, done := make(chan struct{}, 10), make(chan job.Delivery, 10)
	for _, id := range []string{"held", "waits"} { // brokers that are busy may want longer than what is short here on purpose
		until(t, id+" is published", func() bool { return q.Publish(t.Context(), "t", job.Message{ID: id}) == nil })
	}
	for _, node := range c.Nodes {
		node.Sync()
	}
	consume(t, q, "t", 1, func(ctx context.Context, d job.Delivery) job.Verdict {
		if d.ID == "held" && d.Attempt == 1 {
			began <- struct{}{}
			<-ctx.Done()
			return job.Done()
		}
		done <- d
		return job.Done()
	})
	receive(t, began, "delivery")
	for _, node := range c.Nodes {
		node.Kill()
	}
	if err := q.Publish(t.Context(), "t", job.Message{ID: "meanwhile"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("publishing without brokers gave %v", err)
	}
	c.Start(c.Nodes...)
	came := map[string]bool{}
	for !came["held"] || !came["waits"] {
		came[receive(t, done, "delivery after the brokers' return").ID] = true
	}
	until(t, "it can be published to", func() bool { return q.Publish(t.Context(), "t", job.Message{ID: "after"}) == nil })
	for receive(t, done, "delivery of what was published after the return").ID != "after" {
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	check := time.NewTicker(10 * time.Millisecond)
	defer check.Stop()
	for end := time.Now().Add(2 * patience); !holds(); <-check.C {
		if time.Now().After(end) {
			t.Fatalf("it did not come to this: %s", what)
		}
	}
}

var _ job.Queue = (*rabbitmq.Queue)(nil)

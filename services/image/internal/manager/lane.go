package manager

import (
	"context"
	"time"

	"calotype/services/image/internal/job"
)

const (
	leastWindow = 64          // tasks of a class that may always stand in the queue
	windowTime  = time.Second // of work that may stand in the queue

	// What travels together is bounded by the time a node takes for it: jobs that last get a message each, and only where
	// thousands a second go through a node do they share one.
	togetherTime = 10 * time.Millisecond
	mostTogether = 16
)

// lane decides how many tasks of a class the queue is given: about as many as are worked off in a second. The rest waits in the outbox,
// where tenants take turns, so that one who comes late waits behind a second's work and not behind all there is.
type lane struct {
	class job.Class
	queue job.Queue
	now   func() time.Time

	room  int // tasks it may be given before it is looked at again
	ready int // tasks that stood there at the last look, for a node to take
	sent  int // tasks it was given since
	rate  float64
	nodes int // that take them
	asked time.Time
}

// space tells how many tasks the queue may be given now.
func (l *lane) space(ctx context.Context) (int, error) {
	if l.room > 0 && l.now().Sub(l.asked) < windowTime {
		return l.room, nil
	}
	d, err := l.queue.Depth(ctx, job.Tasks, l.class)
	if err != nil {
		return 0, err
	}
	now, ready := l.now(), d.Ready-d.Later // what waits for its time keeps nobody waiting
	if elapsed := now.Sub(l.asked).Seconds(); !l.asked.IsZero() && elapsed > 0 {
		taken := float64(max(0, l.ready+l.sent-ready)) / elapsed
		l.rate += (taken - l.rate) * min(1, 4*elapsed) // an average over about a quarter of a second
	}
	window := max(leastWindow, int(l.rate*windowTime.Seconds()))
	l.room, l.ready, l.sent, l.asked, l.nodes = max(0, window-ready), ready, 0, now, d.Consumers
	return l.room, nil
}

// together tells how many tasks may travel as one.
func (l *lane) together() int {
	if l.nodes == 0 {
		return 1
	}
	return min(mostTogether, max(1, int(l.rate*togetherTime.Seconds()/float64(l.nodes))))
}

func (l *lane) gave(n int) {
	l.room -= n
	l.sent += n
}

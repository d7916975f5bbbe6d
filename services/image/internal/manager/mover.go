package manager

import (
	"context"
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

// mover changes jobs by the state machine and tells the news.
type mover struct {
	jobs job.Jobs
	news *news
	now  func() time.Time
}

func (m *mover) move(ctx context.Context, id job.ID, by func(job.Job, time.Time) (job.Change, error)) (job.Job, error) {
	changed := false
	j, err := m.jobs.Update(ctx, id, func(j job.Job) (job.Change, error) {
		c, err := by(j, m.now())
		changed = len(c.Events) > 0
		return c, err
	})
	if err == nil && changed {
		m.news.tell(id)
	}
	return j, err
}

// news wakes those in this process who wait for something to happen to a job. Its zero value is ready.
type news struct {
	mu    sync.Mutex
	heard map[job.ID]map[chan struct{}]struct{}
}

// follow gives a channel that is ready after each tell since it was last read, and what ends it.
func (n *news) follow(id job.ID) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.heard == nil {
		n.heard = map[job.ID]map[chan struct{}]struct{}{}
	}
	if n.heard[id] == nil {
		n.heard[id] = map[chan struct{}]struct{}{}
	}
	n.heard[id][c] = struct{}{}
	return c, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if delete(n.heard[id], c); len(n.heard[id]) == 0 {
			delete(n.heard, id)
		}
	}
}

func (n *news) tell(id job.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.heard[id] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

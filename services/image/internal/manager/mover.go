package manager

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"calotype/services/image/internal/job"
)

// mover changes jobs by the state machine and tells the news.
type mover struct {
	jobs   job.Jobs
	news   *news
	now    func() time.Time
	letter func(job.Job, job.Event) ([]byte, error) // writes what a webhook is told
	ended  func()                                   // hears that there is a notice to send
	counts *Counts
	log    *slog.Logger // is told of ends; nil: it is not
}

func (m *mover) move(ctx context.Context, id job.ID, by func(job.Job, time.Time) (job.Change, error)) (job.Job, error) {
	changed, notice := false, false
	var before job.Job
	var events []job.Event
	j, err := m.jobs.Update(ctx, id, func(j job.Job) (job.Change, error) {
		c, err := by(j, m.now())
		before, events = j, c.Events
		changed = len(c.Events) > 0
		if err != nil || !changed {
			return c, err
		}
		c.Webhooks, err = m.notices(c)
		notice = len(c.Webhooks) > 0
		return c, err
	})
	if err == nil && changed {
		m.news.tell(id)
		if notice {
			m.ended()
		}
		m.counts.moved(before, j, events)
		tellEnd(ctx, m.log, j)
	}
	return j, err
}

// notices are of the end of a job whose caller wants to be told.
func (m *mover) notices(c job.Change) (out []job.Webhook, _ error) {
	if c.Job.Webhook == "" || m.letter == nil {
		return nil, nil
	}
	for _, e := range c.Events {
		if !e.State.Ended() {
			continue
		}
		body, err := m.letter(c.Job, e)
		if err != nil {
			return nil, err
		}
		out = append(out, job.Webhook{ID: job.NewWebhookID(e), Job: c.Job.ID, URL: c.Job.Webhook, Body: body, State: job.WebhookPending, Due: e.Time, Created: e.Time})
	}
	return out, nil
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

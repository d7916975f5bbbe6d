//go:build linux

package isolation

import (
	"math/rand/v2"
	"time"

	"calotype/kit/fault"
)

// The pauses after a helper that could not be started, or that ended without having been of use: each is twice the one before.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
)

var errClosed = fault.New(fault.Unavailable, NoHelper, "the node is leaving")

var errNone = func() error {
	f := fault.New(fault.Unavailable, NoHelper, "no process that decodes pictures can be started on this node")
	f.RetryAfter = 5 * time.Second
	return f
}()

// start starts a helper, and counts it.
func (p *Pool) start() (*helper, error) {
	began := time.Now()
	settings, _ := p.opts.Settings()
	m := &message{Kind: hello, Settings: settings, Start: &start{Memory: int64(p.opts.Memory), Require: p.opts.Sandbox == Required}}
	h, err := startHelper(p.ctx, p.thread, p.env, m, func(line string) {
		if p.ctx.Err() == nil { // the last words of those that are sent away mean nothing
			p.opts.Log.Warn("a helper process writes", "line", line)
		}
	})
	if err != nil {
		p.opts.Metrics.ended(p.alive.Load(), byFailure)
		return nil, err
	}
	p.opts.Metrics.started(p.alive.Add(1), time.Since(began))
	return h, nil
}

// keeper sees to it that there is a helper in one place, until the pool is closed. One that is there already is counted.
func (p *Pool) keeper(b *bench, h *helper) {
	for pause := firstPause; p.ctx.Err() == nil; h = nil {
		if h == nil {
			var err error
			h, err = p.start()
			if err != nil && p.ctx.Err() != nil {
				return
			}
			b.started(err)
			if err != nil {
				p.opts.Log.Error("a helper process cannot be started", "again_in", pause, "error", err)
				pause = p.rest(pause)
				continue
			}
		}
		b.put(h)
		select {
		case <-h.gone:
		case <-p.ctx.Done():
			h.kill(byClose)
			<-h.gone
		}
		b.leave(h)
		p.opts.Metrics.ended(p.alive.Add(-1), h.reason())
		if h.reason() == byCrash && h.calls == 0 { // of no use at all: what is wrong is not a picture
			p.opts.Log.Error("a helper process ended before its first picture", "pid", h.process.Pid, "error", h.ended)
			pause = p.rest(pause)
		} else {
			pause = firstPause
		}
	}
}

// rest waits, and gives the next pause.
func (p *Pool) rest(pause time.Duration) time.Duration {
	t := time.NewTimer(pause/2 + rand.N(pause/2+1))
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
	}
	return min(2*pause, lastPause)
}

package cluster

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// consecutive answers of Unavailable that set a node aside although its connection stands.
const consecutive = 5

// ejection sets a misbehaving node aside for a time that doubles. When the time is over one call is let through as a probe; its
// success brings the node back.
type ejection struct {
	min, max time.Duration

	until atomic.Int64 // on Clock; 0: in use
	fails atomic.Int32

	mu    sync.Mutex
	level int
	last  int64 // until when it was out
}

// admits tells whether a call may go to the node, and makes it the probe where one is due.
func (e *ejection) admits(now int64) bool {
	until := e.until.Load()
	if until == 0 {
		return true
	}
	return until <= now && e.until.CompareAndSwap(until, now+int64(e.min))
}

// Succeeded brings a node back.
func (n *Node) Succeeded() {
	if n.fails.Load() != 0 {
		n.fails.Store(0)
	}
	if n.until.Load() != 0 {
		n.until.Store(0)
		n.cluster.event(Back)
		n.cluster.bump()
		n.cluster.cfg.Log.Info("a node is back", slog.String("service", n.cluster.cfg.Service), slog.String("node", n.Registry.Id))
	}
}

// Refused counts an answer of Unavailable; several in a row set the node aside.
func (n *Node) Refused() {
	if n.fails.Add(1) >= consecutive {
		n.eject("it refuses calls")
	}
}

// Broke sets a node aside at once: the connection broke under a call.
func (n *Node) Broke() {
	n.fails.Add(1)
	n.eject("its connection broke")
}

func (n *Node) eject(why string) {
	now := Clock()
	if n.retired.Load() || n.until.Load() > now || !n.cluster.mayEject(n, now) {
		return
	}
	n.mu.Lock()
	if now-n.last > int64(n.max) {
		n.level = 0
	}
	d := min(n.min<<n.level, n.max)
	if n.min<<n.level < n.max {
		n.level++
	}
	n.last = now + int64(d)
	n.until.Store(n.last)
	n.mu.Unlock()
	n.fails.Store(0)
	n.cluster.bump()
	n.cluster.event(Ejected)
	n.cluster.cfg.Log.Warn("a node is set aside", slog.String("service", n.cluster.cfg.Service), slog.String("node", n.Registry.Id),
		slog.String("why", why), slog.Duration("for", d))
}

// mayEject keeps at least half of a datacenter's nodes in use, where calls could not go to another one: when most of them misbehave, the
// fault is likely not theirs.
func (c *Cluster) mayEject(n *Node, now int64) bool {
	out, all := 1, 1
	for _, o := range c.Nodes() {
		switch {
		case o == n:
			continue
		case o.place != n.place:
			if o.usable() {
				return true
			}
			continue
		case o.until.Load() > now:
			out++
		}
		all++
	}
	return out*2 <= all
}

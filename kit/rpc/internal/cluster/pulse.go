package cluster

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// A node that froze keeps its connections and answers nothing: no error tells of it before keepalive does, 13 s later. So a
// node that owes an answer and is silent is asked for its health, and when nothing at all comes in for a while, a byte of
// anything else included, no call goes there until something does.
const (
	beat     = 20 * time.Millisecond // how often a node with calls is looked at
	rest     = 50                    // beats without a call until it is looked at no more
	maxQuiet = time.Second           // between two questions to a node that answers them, and has long calls
	// A call that has run for long is dear to repeat: it moves only when the node has been silent for as long.
	dear = 2 * time.Second
)

// pulse is what is known of a node's life.
type pulse struct {
	heard   atomic.Int64 // when a byte last came in, on Clock
	answers ewma         // how long it takes to connect, and to answer the question
	begun   atomic.Uint64
	silent  atomic.Bool
	asleep  atomic.Bool // nobody looks: Begin must wake
	wake    chan struct{}
	gone    chan struct{} // closed with the connection

	ring sync.Mutex
	held Call // the head of a ring of calls that may move
}

// Call is a call on a node that may move to another one while it waits; it is part of a struct that outlives Release.
type Call struct {
	prev, next *Call
	mover      Mover
	began      int64
}

// Mover takes a call from its node. Move must not block, and may be called more than once.
type Mover interface{ Move() }

// Hold says that m may be called, from another goroutine and at most until Release returns, when the node falls silent. The call
// began at a moment of Clock.
func (n *Node) Hold(c *Call, m Mover, began int64) {
	n.ring.Lock()
	if n.held.next == nil {
		n.held.prev, n.held.next = &n.held, &n.held
	}
	c.mover, c.began = m, began
	c.prev, c.next = n.held.prev, &n.held
	c.prev.next, n.held.prev = c, c
	silent := n.silent.Load()
	n.ring.Unlock()
	if silent {
		n.moveAll(false) // it fell silent between the choice and now
	}
}

// Release ends Hold.
func (n *Node) Release(c *Call) {
	n.ring.Lock()
	if c.next != nil {
		c.prev.next, c.next.prev = c.next, c.prev
		c.prev, c.next = nil, nil
	}
	n.ring.Unlock()
}

func (n *Node) moveAll(dearest bool) {
	if !n.cluster.another(n) {
		return
	}
	n.ring.Lock()
	defer n.ring.Unlock()
	if n.held.next == nil {
		return
	}
	now := Clock()
	for c := n.held.next; c != &n.held; c = c.next {
		if dearest || now-c.began < int64(dear) {
			c.mover.Move()
		}
	}
}

// another tells whether a call on n could go elsewhere.
func (c *Cluster) another(n *Node) bool {
	for _, o := range c.Nodes() {
		if o != n && o.usable() {
			return true
		}
	}
	return false
}

// stir wakes who looks after the node.
func (n *Node) stir() {
	n.begun.Add(1)
	if n.asleep.Load() && n.asleep.CompareAndSwap(true, false) {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// listen is attend's sister: it looks after a node as long as calls run there.
func (n *Node) listen() {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var (
		begun uint64
		idle  int
		quiet = n.cluster.cfg.Silence // before the next question
		asked time.Time
		last  = time.Now()
	)
	for {
		select {
		case <-n.gone:
			return
		case <-n.cluster.ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(last) > 5*beat && !asked.IsZero() {
			asked = now // it was this process that slept
		}
		last = now
		heard := At(n.heard.Load())
		if b := n.begun.Load(); b != begun {
			begun, idle, quiet = b, 0, n.cluster.cfg.Silence
		} else if n.inFlight.Load() == 0 && !n.silent.Load() {
			if idle++; idle > rest {
				asked = time.Time{}
				if !n.nap() {
					return
				}
				last = time.Now()
			}
			continue
		}
		switch {
		case asked.IsZero():
			if now.Sub(heard) > quiet && n.up.Load() {
				asked = now
				n.ask()
			}
		case heard.After(asked):
			asked = time.Time{}
			quiet = min(2*quiet, maxQuiet)
			n.speaks()
		case !n.up.Load(): // the connection's own story now
			asked = time.Time{}
		case now.Sub(asked) > n.patience():
			n.falls(heard)
			asked = now
			n.ask() // its answer will tell that it lives again
		}
	}
}

// nap ends when a call comes; it is false when the node is gone.
func (n *Node) nap() bool {
	n.asleep.Store(true)
	if n.inFlight.Load() > 0 {
		n.asleep.Store(false)
		return true
	}
	select {
	case <-n.wake:
	case <-n.gone:
		return false
	case <-n.cluster.ctx.Done():
		return false
	}
	return true
}

// patience grows with how long a node takes to answer when it is well.
func (n *Node) patience() time.Duration {
	p := n.cluster.cfg.Patience + 4*time.Duration(n.answers.value(Clock()))
	if n.silent.Load() {
		return max(p, maxQuiet/2)
	}
	return p
}

func (n *Node) ask() {
	began := Clock()
	n.cluster.work.Go(func() {
		ctx, cancel := context.WithTimeout(n.cluster.ctx, 5*time.Second)
		defer cancel()
		_, err := healthpb.NewHealthClient(n.Conn).Check(ctx, &healthpb.HealthCheckRequest{})
		switch status.Code(err) {
		case codes.DeadlineExceeded, codes.Canceled, codes.Unavailable:
		default: // an error is an answer too: not everybody serves health
			now := Clock()
			n.answers.observe(now-began, now)
			n.heard.Store(now)
		}
	})
}

func (n *Node) falls(heard time.Time) {
	if !n.silent.Swap(true) {
		n.cluster.bump()
		n.cluster.event(Silent)
		n.cluster.cfg.Log.Warn("a node is silent", slog.String("service", n.cluster.cfg.Service), slog.String("node", n.Registry.Id))
	}
	n.moveAll(time.Since(heard) > dear)
}

func (n *Node) speaks() {
	if n.silent.Swap(false) {
		n.latency.forget() // its calls waited for its sleep
		n.cluster.event(Back)
		n.cluster.cfg.Log.Info("a node speaks again", slog.String("service", n.cluster.cfg.Service), slog.String("node", n.Registry.Id))
		n.cluster.bump()
	}
}

// dialTo dials a node's connection so that what comes in is heard.
func (n *Node) dialTo(ctx context.Context, addr string) (net.Conn, error) {
	began := Clock()
	conn, err := n.cluster.cfg.Dialer(ctx, addr)
	if err != nil {
		return nil, err
	}
	now := Clock()
	n.answers.observe(now-began, now)
	return heardConn{conn, n}, nil
}

type heardConn struct {
	net.Conn
	node *Node
}

func (c heardConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.node.heard.Store(Clock())
	}
	return n, err
}

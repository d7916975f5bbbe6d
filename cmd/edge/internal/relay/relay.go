// Package relay stands between nginx and the nodes of a service: nginx has a fixed set of sockets for its upstream, and each
// connection that it opens is carried to a node that is there and well at that moment. So nodes come and go without nginx being
// reloaded, which would cut its clients' idle connections. It carries bytes and knows nothing of what they say.
package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how nodes are reached and judged.
type Config struct {
	Connect time.Duration // how long a node may take to accept a connection
	Probe   time.Duration // how often a node is asked whether it lives, and how long it may take to answer
	Silence time.Duration // of a node that does not answer, after which what is under way with it is given up
	Log     *slog.Logger
	Metrics *Metrics
	// Live asks the node at an address whether it lives.
	Live func(ctx context.Context, address string) error
}

// Relay is safe for concurrent use.
type Relay struct {
	cfg Config

	mu     sync.Mutex
	nodes  map[string]*node // by address; those that are gone from the list stay until their last connection ends
	well   []*node          // those that take connections, all of one datacenter, in the order of their addresses
	rest   []*node          // those of other datacenters, and those that do not seem to live: tried when nobody else is there
	order  int              // of the datacenter that takes connections; 0 is one's own
	closed bool

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// New makes a relay without nodes.
func New(cfg Config) *Relay {
	r := &Relay{cfg: cfg, nodes: map[string]*node{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Known tells how many nodes are listed, and how many of them seem well.
func (r *Relay) Known() (listed, well int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.well) + len(r.rest), len(r.well)
}

// Close cuts every connection and returns when nothing runs any more.
func (r *Relay) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.work.Wait()
}

// Refusal is what a connection is told for which there is no node; nil closes it without a word.
type Refusal []byte

// Serve carries the connections that a listener accepts, until it is closed. Slots are told apart by their number: while there are at
// most as many nodes as slots, a slot's connections go to one node, and neighbouring slots' to different ones.
func (r *Relay) Serve(l net.Listener, slot, slots int, refusal Refusal) error {
	var taken atomic.Int64
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			// Out of descriptors, most likely: nginx waits in the queue meanwhile.
			r.cfg.Log.Error("a connection of nginx's was not taken", slog.String("error", err.Error()))
			if !pause(r.ctx, 50*time.Millisecond) {
				return nil
			}
			continue
		}
		turn := int(taken.Add(1) - 1)
		if !r.begin() {
			conn.Close()
			return nil
		}
		go func() {
			defer r.work.Done()
			r.carry(conn, slot+turn*slots, refusal)
		}()
	}
}

func (r *Relay) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.work.Add(1)
	return true
}

// carry connects to the first node that accepts, beginning with the one whose turn it is.
func (r *Relay) carry(in net.Conn, turn int, refusal Refusal) {
	defer in.Close()
	for _, n := range r.candidates(turn) {
		out, err := n.dial(r.ctx, r.cfg.Connect)
		if err != nil {
			r.cfg.Metrics.refused.Inc()
			r.doubt(n, err)
			continue
		}
		r.cfg.Metrics.carried.Inc()
		n.join(r.ctx, in, out)
		return
	}
	r.cfg.Metrics.nobody.Inc()
	if refusal == nil {
		return
	}
	// What nginx began to send is taken in before it is answered: closing over unread bytes would reset the answer as well.
	_ = in.SetDeadline(time.Now().Add(time.Second))
	_, _ = in.Write(refusal)
	if half, ok := in.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	var rest [4096]byte
	for {
		if _, err := in.Read(rest[:]); err != nil {
			return
		}
	}
}

// candidates gives the nodes to try: the well ones by turns, then the others.
func (r *Relay) candidates(turn int) []*node {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*node, 0, len(r.well)+len(r.rest))
	for i := range r.well {
		all = append(all, r.well[(turn+i)%len(r.well)])
	}
	return append(all, r.rest...)
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Package cluster is the nodes of one service as a client sees them: who is there (followed in the registry in the background),
// who can be reached (one connection a node, kept open), who misbehaves (set aside for a while), and which one a call should
// take. It knows nothing of methods, retries or messages.
package cluster

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
)

// ErrNoNodes means that the registry names no node of the service.
var ErrNoNodes = errors.New("no node is known")

// ErrAllDown means that nodes are known and none can be reached.
var ErrAllDown = errors.New("no node can be reached")

// ErrClosed means that the client was closed.
var ErrClosed = errors.New("the client is closed")

// Config says what a Cluster follows and how it dials.
type Config struct {
	Service   string
	Registry  registry.Registry // nil: Addresses are the nodes
	Addresses []string
	Dialer    func(ctx context.Context, addr string) (net.Conn, error) // nil: what Dial says
	Dial      []grpc.DialOption
	DialNode  func(*registry.Node) []grpc.DialOption // what depends on the node, before Dial; nil: nothing does
	Log       *slog.Logger
	FirstList time.Duration // how long a call waits for the first list
	Connect   time.Duration // how long a call waits for a connection, when no node has one
	Relist    time.Duration // how often the registry is asked without an event
	EjectMin  time.Duration
	EjectMax  time.Duration
	Silence   time.Duration     // of a node that owes an answer, before it is asked for its health
	Patience  time.Duration     // how long that may take, beyond what it takes usually
	Observe   func(event Event) // nil: nobody counts
}

// Event is what happens to a node.
type Event string

// The events.
const (
	Ejected Event = "ejected" // set aside because calls failed
	Silent  Event = "silent"  // no call goes there until something comes in
	Back    Event = "back"    // from either

	Elsewhere Event = "datacenter" // calls go to another datacenter than before
)

func (c *Cluster) event(e Event) {
	if c.cfg.Observe != nil {
		c.cfg.Observe(e)
	}
}

// Cluster is safe for concurrent use. Close releases its connections and goroutines.
type Cluster struct {
	cfg  Config
	view atomic.Pointer[view]
	next atomic.Uint64 // round robin

	mu      sync.Mutex
	known   map[string]*Node          // by address
	counts  map[string]*atomic.Uint64 // calls, by datacenter
	order   int                       // of the datacenter that calls go to; see follow.Place
	listed  bool
	changed chan struct{} // closed and replaced on every change of list or state
	closed  bool

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// New starts following the service.
func New(cfg Config) *Cluster {
	c := &Cluster{cfg: cfg, known: map[string]*Node{}, counts: map[string]*atomic.Uint64{}, changed: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.view.Store(&view{})
	if cfg.Registry == nil {
		list := make([]*registry.Node, len(cfg.Addresses))
		for i, a := range cfg.Addresses {
			list[i] = &registry.Node{Id: a, Address: a}
		}
		c.set(list)
		return c
	}
	c.work.Add(1)
	go func() {
		defer c.work.Done()
		c.follow()
	}()
	return c
}

// Nodes are the nodes of the last list.
func (c *Cluster) Nodes() []*Node { return c.view.Load().all }

// Close drops every connection; calls that run on them fail.
func (c *Cluster) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	nodes := c.known
	c.known = map[string]*Node{}
	c.view.Store(&view{})
	c.mu.Unlock()
	c.cancel()
	var errs []error
	for _, n := range nodes {
		errs = append(errs, n.close())
	}
	c.bump()
	// A registry that hangs would hold this up; its goroutine ends when it answers.
	done := make(chan struct{})
	go func() { c.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	return errors.Join(errs...)
}

// set takes a new list. Nodes that stay keep their connections and their history.
func (c *Cluster) set(list []*registry.Node) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.listed = true
	list = slices.Concat(list, c.forgotten(list))
	listed := make(map[[2]string]bool, len(list))
	for _, rn := range list {
		listed[[2]string{rn.Address, rn.Id}] = true
	}
	fresh := make(map[string]*Node, len(list))
	nodes := make([]*Node, 0, len(list))
	var gone []*Node
	for _, rn := range list {
		if fresh[rn.Address] != nil {
			continue // a predecessor on the same address whose time has not run out
		}
		n := c.known[rn.Address]
		if n != nil && !listed[[2]string{rn.Address, n.Registry.Id}] {
			// Another process on the same address: its predecessor's history is not its own, and dialling may begin at once.
			gone = append(gone, n)
			n = nil
		}
		if n == nil {
			var err error
			if n, err = c.dial(rn); err != nil {
				c.cfg.Log.Error("a node has an address that cannot be dialled", slog.String("service", c.cfg.Service),
					slog.String("node", rn.Id), slog.String("error", err.Error()))
				continue
			}
		}
		fresh[rn.Address] = n
		nodes = append(nodes, n)
	}
	for a, n := range c.known {
		if fresh[a] == nil {
			gone = append(gone, n)
		}
	}
	c.known = fresh
	slices.SortStableFunc(nodes, func(a, b *Node) int { return a.place.Order - b.place.Order })
	c.arrange(nodes)
	c.mu.Unlock()
	for _, n := range gone {
		n.retire()
	}
	c.bump()
}

// bump is for whoever changed the state of a node: calls that wait for one look again.
func (c *Cluster) bump() {
	c.mu.Lock()
	c.arrange(c.Nodes())
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
}

func (c *Cluster) state() (changed <-chan struct{}, listed, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed, c.listed, c.closed
}

package relay

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// epoch is what moments are counted from, by the monotonic clock.
var epoch = time.Now()

func now() int64 { return int64(time.Since(epoch)) }

// node is one address, and the connections that are carried to it.
type node struct {
	address string
	listed  bool // under Relay.mu
	well    bool // under Relay.mu
	order   int  // under Relay.mu: of its datacenter
	heard   atomic.Int64
	metrics *Metrics

	gone   context.Context // ends when it is not listed any more and nothing is carried to it
	forget context.CancelFunc

	mu    sync.Mutex
	pairs map[*pair]struct{}
	left  bool
}

func newNode(parent context.Context, address string, m *Metrics) *node {
	n := &node{address: address, well: true, metrics: m, pairs: map[*pair]struct{}{}}
	n.gone, n.forget = context.WithCancel(parent)
	n.heard.Store(now())
	return n
}

func (n *node) dial(ctx context.Context, patience time.Duration) (net.Conn, error) {
	return (&net.Dialer{Timeout: patience, KeepAlive: 15 * time.Second}).DialContext(ctx, "tcp", n.address)
}

// open tells how many connections are carried.
func (n *node) open() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.pairs)
}

// cut closes every connection.
func (n *node) cut() (many int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.pairs {
		p.close()
	}
	return len(n.pairs)
}

// leave lets the node be forgotten when its last connection has ended.
func (n *node) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left = true; len(n.pairs) == 0 {
		n.forget()
	}
}

// stay takes it back; false when it is too late for that.
func (n *node) stay() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone.Err() != nil {
		return false
	}
	n.left = false
	return true
}

type pair struct{ in, out net.Conn }

func (p *pair) close() {
	p.in.Close()
	p.out.Close()
}

// join carries bytes both ways until both are done, either way fails, or ctx ends.
func (n *node) join(ctx context.Context, in, out net.Conn) {
	p := &pair{in, out}
	defer context.AfterFunc(ctx, p.close)()
	n.mu.Lock()
	n.pairs[p] = struct{}{}
	n.mu.Unlock()
	n.metrics.open.Inc()
	defer func() {
		p.close()
		n.metrics.open.Dec()
		n.mu.Lock()
		defer n.mu.Unlock()
		if delete(n.pairs, p); n.left && len(n.pairs) == 0 {
			n.forget()
		}
	}()
	var up sync.WaitGroup
	up.Go(func() {
		if carry(out, in, nil) {
			// The node reads no more, but its answer may be on its way, and nginx is to see that and not a broken connection.
			_, _ = io.Copy(io.Discard, in)
		}
		out.Close() // nginx never closes half: it is gone
	})
	carry(in, out, &n.heard)
	out.Close()
	_ = in.SetReadDeadline(time.Now().Add(linger))
	closeWrite(in)
	up.Wait()
}

// linger is how long nginx may take to see that a node has said all.
const linger = 5 * time.Second

// buffers are of one size that is worth a system call and bounds what a connection holds.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// carry copies until src ends or dst takes no more, and tells whether it was dst. Heard notes when something came. io.Copy would
// splice, and tell nobody of what passes.
func carry(dst io.Writer, src io.Reader, heard *atomic.Int64) (full bool) {
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	for {
		n, err := src.Read(buffer[:])
		if n > 0 {
			if heard != nil {
				heard.Store(now())
			}
			if _, err := dst.Write(buffer[:n]); err != nil {
				return true
			}
		}
		if err != nil {
			return false
		}
	}
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

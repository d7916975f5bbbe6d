package servers

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// Relay passes TCP connections on to a server, and can cut whoever comes through it from the server. It is safe for concurrent use.
type Relay struct {
	listener net.Listener
	to       string

	ctx context.Context // ends with the relay

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
	all   sync.WaitGroup
}

// NewRelay begins to pass connections on to an address.
func NewRelay(t testing.TB, to string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("relay: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Relay{listener: l, to: to, ctx: ctx, conns: map[net.Conn]struct{}{}}
	r.all.Go(r.accept)
	t.Cleanup(func() {
		l.Close()
		stop()
		r.Cut()
		r.all.Wait()
	})
	return r
}

// Addr is where the relay listens.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Cut breaks every connection, and closes those that come at once, until Heal.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
	for c := range r.conns {
		c.Close()
	}
}

// Heal passes connections on again.
func (r *Relay) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = false
}

func (r *Relay) accept() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		out, err := new(net.Dialer).DialContext(r.ctx, "tcp", r.to)
		if err != nil {
			in.Close()
			continue
		}
		if !r.keep(in, out) {
			in.Close()
			out.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
			r.all.Go(func() {
				_, _ = io.Copy(way[0], way[1]) // either end may go at any time
				way[0].Close()
				r.mu.Lock()
				delete(r.conns, way[0])
				r.mu.Unlock()
			})
		}
	}
}

// keep notes the two ends of a connection, unless the relay is cut.
func (r *Relay) keep(in, out net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		return false
	}
	r.conns[in], r.conns[out] = struct{}{}, struct{}{}
	return true
}

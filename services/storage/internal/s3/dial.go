package s3

import (
	"context"
	"errors"
	"net"
	"time"
)

// Whoever has waited for a connection in vain waits for the next one for so much less.
const hurry = 5

type hurriedKey struct{}

func hurried(ctx context.Context) context.Context { return context.WithValue(ctx, hurriedKey{}, true) }

// dial connects to the endpoint, and keeps in mind when it does not answer.
func (e *endpoint) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	within := e.cluster.cfg.ConnectTimeout
	if ctx.Value(hurriedKey{}) != nil {
		within /= hurry
	}
	conn, err := (&net.Dialer{Timeout: within, KeepAlive: 5 * time.Second}).DialContext(ctx, network, addr)
	switch {
	case err == nil:
		e.missed.Store(0)
		return connection{conn, e}, nil
	case ctx.Err() == nil:
		e.missed.Add(1)
	}
	return nil, err
}

// connection has the endpoint looked at when it is lost: an idle one breaks when a store dies, before anybody asks for something.
type connection struct {
	net.Conn
	endpoint *endpoint
}

func (c connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.endpoint.suspect()
	}
	return n, err
}

// unanswered reports that err is of a connection that could not be made.
func unanswered(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// silent reports that no endpoint takes connections, though some may still count as open: whoever has waited for one in vain need not
// wait for each of the others. One that was missed once only may have been late.
func (c *cluster) silent() bool {
	var missed int32
	for _, e := range c.endpoints {
		if !e.isUp.Load() {
			continue
		}
		n := e.missed.Load()
		if n == 0 {
			return false
		}
		missed += n
	}
	return missed != 1
}

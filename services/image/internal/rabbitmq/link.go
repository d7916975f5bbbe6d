package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link keeps one connection to any of the brokers. Publishing and consuming have one each: a broker that is short of memory or disk
// stops reading from connections that publish, and must not keep acknowledgements waiting.
type link struct {
	q       *Queue
	purpose string

	mu      sync.Mutex
	conn    *conn
	dialing chan struct{} // closed when the attempt under way has ended
	err     error         // of the last attempt
	next    int           // which URL is tried first
	fails   int           // in a row
}

// conn is a connection with what must be known of it.
type conn struct {
	*amqp.Connection
	raw net.Conn

	mu      sync.Mutex
	blocked chan struct{} // not nil while the broker takes no messages; closed when it does again
}

// get returns a connection that seems to live, or the error of one round through all brokers, which begins after a pause that
// grows with the rounds that failed.
func (l *link) get(ctx context.Context) (*conn, error) {
	l.mu.Lock()
	if closed(l.q.closing) {
		l.mu.Unlock()
		return nil, errClosed()
	}
	if l.conn != nil && !l.conn.IsClosed() {
		defer l.mu.Unlock()
		return l.conn, nil
	}
	if l.dialing == nil {
		l.dialing = make(chan struct{})
		go l.dial(l.dialing, l.conn != nil)
	}
	wait, last := l.dialing, l.err
	l.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), last) // that there was no time left says nothing of why
	case <-l.q.closing:
		return nil, errClosed()
	case <-wait:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	return l.conn, nil
}

// dial tries every broker once.
func (l *link) dial(done chan struct{}, again bool) {
	l.mu.Lock()
	fails, first := l.fails, l.next
	l.mu.Unlock()
	if fails > 0 {
		l.q.pause(fails - 1)
	}
	var c *conn
	var err error
	for i := range l.q.cfg.URLs {
		at := (first + i) % len(l.q.cfg.URLs)
		if c, err = l.q.connect(l.q.cfg.URLs[at], l.purpose); err == nil {
			first = at
			break
		}
		level := slog.LevelWarn
		if fails > 0 { // it has been told
			level = slog.LevelDebug
		}
		l.q.log.Log(context.Background(), level, "a broker cannot be reached", "broker", l.q.places[at], "purpose", l.purpose, "error", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dialing, l.err, l.next = nil, err, first+1
	close(done)
	if err != nil {
		l.fails++
		return
	}
	l.fails = 0
	l.conn = c
	if closed(l.q.closing) {
		c.abort()
	}
	if again {
		l.q.counts.reconnects.Add(1)
		l.q.log.Info("connected again to a broker", "broker", l.q.places[first%len(l.q.places)], "purpose", l.purpose)
	}
}

// end closes the connection, orderly or as a process does that is killed.
func (l *link) end(abort bool) {
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	switch {
	case c == nil:
	case abort:
		c.abort()
	default:
		_ = c.CloseDeadline(time.Now().Add(l.q.cfg.DialTimeout)) // nothing depends on it any more
	}
}

// connect opens a connection to one broker.
func (q *Queue) connect(url, purpose string) (*conn, error) {
	c := &conn{}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("calotype " + purpose)
	settings := amqp.Config{
		SASL:      []amqp.Authentication{&amqp.PlainAuth{Username: q.cfg.Username, Password: q.cfg.Password.Reveal()}},
		Heartbeat: q.cfg.Heartbeat, Properties: properties, Locale: "en_US", TLSClientConfig: q.tls.Clone(),
		Dial: func(network, addr string) (net.Conn, error) {
			raw, err := (&net.Dialer{Timeout: q.cfg.DialTimeout}).DialContext(context.Background(), network, addr)
			if err != nil {
				return nil, err
			}
			if err := raw.SetDeadline(time.Now().Add(2 * q.cfg.DialTimeout)); err != nil { // of the handshake; the library lifts it
				return nil, err
			}
			c.raw = raw
			return newWire(raw, 2*q.cfg.Heartbeat), nil
		},
	}
	var err error
	if c.Connection, err = amqp.DialConfig(url, settings); err != nil {
		return nil, err
	}
	go c.watch(c.NotifyBlocked(make(chan amqp.Blocking, 4)), q)
	return c, nil
}

// watch follows what the broker says about its memory and disk; the library closes the channel with the connection.
func (c *conn) watch(said <-chan amqp.Blocking, q *Queue) {
	for b := range said {
		c.mu.Lock()
		switch {
		case b.Active && c.blocked == nil:
			c.blocked = make(chan struct{})
			q.log.Warn("the broker takes no messages for now", "reason", b.Reason)
		case !b.Active && c.blocked != nil:
			close(c.blocked)
			c.blocked = nil
			q.log.Info("the broker takes messages again")
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blocked != nil { // nobody needs to wait for a connection that is gone
		close(c.blocked)
		c.blocked = nil
	}
}

// barred is closed when the broker takes messages again; nil means that it does.
func (c *conn) barred() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocked
}

// abort drops the connection without a word.
func (c *conn) abort() {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.raw.Close()
}

// pause waits for a while that grows with the tries that failed, unless the queue is closed.
func (q *Queue) pause(tries int) {
	d := min(50*time.Millisecond<<min(tries, 6), 2*time.Second)
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-q.closing:
	case <-t.C:
	}
}

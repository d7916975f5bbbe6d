package rabbitmq

import (
	"net"
	"sync"
	"time"
)

const (
	mostUnwritten = 1 << 20                // bytes after which whoever writes more waits
	lastWords     = 250 * time.Millisecond // for what was not written when the connection is closed
)

// wire is a connection whose writes wait for nobody: what comes while the one before is under way goes with the next. A client that says
// much in small frames, and the broker that reads them, save most of their work with the system. A broker that does not read
// is borne for a while.
type wire struct {
	net.Conn
	within time.Duration

	mu      sync.Mutex
	changed *sync.Cond
	waiting []byte
	spare   []byte
	writing bool
	err     error // of an earlier write
}

func newWire(conn net.Conn, within time.Duration) *wire {
	w := &wire{Conn: conn, within: within}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// Write takes b; that it is lost is told by the end of the connection.
func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > mostUnwritten && w.err == nil {
		w.changed.Wait()
	}
	if w.err != nil {
		return 0, w.err
	}
	w.waiting = append(w.waiting, b...)
	if !w.writing {
		w.writing = true
		go w.write()
	}
	return len(b), nil
}

func (w *wire) write() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > 0 && w.err == nil {
		out := w.waiting
		w.waiting, w.spare = w.spare[:0], nil
		err := w.SetWriteDeadline(time.Now().Add(w.within))
		w.mu.Unlock()
		if err == nil {
			_, err = w.Conn.Write(out)
		}
		w.mu.Lock()
		w.spare, w.err = out, err
		w.changed.Broadcast()
	}
	w.writing = false
	w.changed.Broadcast()
}

// Close writes what waits, if that is quickly done.
func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.within = lastWords
	_ = w.SetWriteDeadline(time.Now().Add(lastWords)) // where it fails, so does the writing
	for w.writing {
		w.changed.Wait()
	}
	return w.Conn.Close()
}

//go:build linux

package isolation

import (
	"context"
	"slices"
	"sync"
)

// bench is where idle helpers sit. The one that came last is taken first: what few calls need stays few.
type bench struct {
	mu     sync.Mutex
	idle   []*helper
	wait   []chan *helper
	alive  int
	why    error // while none is alive: why the last one could not be started
	closed bool
}

// take waits for an idle helper. It fails at once while none can be had.
func (b *bench) take(ctx context.Context) (*helper, error) {
	b.mu.Lock()
	if n := len(b.idle); n > 0 {
		h := b.idle[n-1]
		b.idle = b.idle[:n-1]
		b.mu.Unlock()
		return h, nil
	}
	if err := b.none(); err != nil {
		defer b.mu.Unlock()
		return nil, err
	}
	turn := make(chan *helper, 1)
	b.wait = append(b.wait, turn)
	b.mu.Unlock()
	select {
	case h, ok := <-turn:
		if ok {
			return h, nil
		}
		return nil, errNone
	case <-ctx.Done():
	}
	b.mu.Lock()
	at := slices.Index(b.wait, turn)
	if at >= 0 {
		b.wait = slices.Delete(b.wait, at, at+1)
	}
	b.mu.Unlock()
	if at < 0 {
		if h, ok := <-turn; ok { // it came at the same moment
			b.put(h)
		}
	}
	return nil, ctx.Err()
}

// put sits an idle helper down, or hands it to who waits longest.
func (b *bench) put(h *helper) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-h.gone: // its keeper looked for it before
		h.region.free()
		return
	default:
	}
	if len(b.wait) > 0 {
		b.wait[0] <- h
		b.wait = b.wait[1:]
		return
	}
	b.idle = append(b.idle, h)
}

// leave takes a helper away that ended.
func (b *bench) leave(h *helper) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alive--
	if at := slices.Index(b.idle, h); at >= 0 {
		b.idle = slices.Delete(b.idle, at, at+1)
		h.region.free() // with a call, it is that one's
	}
}

// started takes note of a helper that could be started, or could not. While there is none, who waits is sent away.
func (b *bench) started(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.alive++
		b.why = nil
	case b.alive == 0:
		b.why = err
		b.dismiss()
	}
}

// shut sends away who waits, and who comes.
func (b *bench) shut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.dismiss()
}

// dismiss is called with the lock.
func (b *bench) dismiss() {
	for _, turn := range b.wait {
		close(turn)
	}
	b.wait = nil
}

// none says why nobody will come, or nothing. It is called with the lock.
func (b *bench) none() error {
	switch {
	case b.closed:
		return errClosed
	case b.why != nil:
		return errNone
	}
	return nil
}

// sick says why no helper can be started, while there is none.
func (b *bench) sick() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

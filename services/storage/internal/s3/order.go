package s3

import (
	"context"
	"sync"

	"calotype/services/storage/internal/blob"
)

// order lets one at a time, of those in this process, name, touch and remove a blob.
type order struct {
	mu   sync.Mutex
	busy map[blob.Digest]*turn
}

type turn struct {
	taken chan struct{} // holds one while somebody has the turn
	users int
}

// take waits for the turn no longer than ctx lasts.
func (o *order) take(ctx context.Context, d blob.Digest) (done func(), err error) {
	o.mu.Lock()
	t := o.busy[d]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		o.busy[d] = t
	}
	t.users++
	o.mu.Unlock()
	leave := func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(o.busy, d)
		}
	}
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// Package pause waits between two tries of what goes on until a context ends.
package pause

import (
	"context"
	"time"
)

// For waits, and reports whether ctx goes on.
func For(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

package s3

import (
	"context"
	"time"

	"calotype/services/storage/internal/blob"
)

// CopyInParts copies a temporary as only those of more than 5 GiB are.
func (s *Store) CopyInParts(ctx context.Context, from string, d blob.Digest, size, part int64) error {
	c := copied{store: s, from: from, d: d, size: size}
	return c.inParts(ctx, part)
}

// Held is how much memory uploads hold.
func (s *Store) Held() int64 {
	held := int64(s.cfg.Memory)
	for n := held; n > 0; n /= 2 { // a semaphore does not tell
		for s.memory.room.TryAcquire(n) {
			defer s.memory.room.Release(n)
			held -= n
		}
	}
	return held
}

// WaitForMemory sets how long uploads wait for some.
func (s *Store) WaitForMemory(within time.Duration) { s.memory.within = within }

// SweepOlder sweeps what is older than that.
func (s *Store) SweepOlder(ctx context.Context, than time.Duration) error {
	other := &Store{cfg: s.cfg, cluster: s.cluster, log: s.log, metrics: s.metrics}
	other.cfg.StaleAfter = than
	return other.Sweep(ctx)
}

// Open reports how many endpoints are open.
func (s *Store) OpenEndpoints() (n int) {
	for _, e := range s.cluster.endpoints {
		if e.isUp.Load() {
			n++
		}
	}
	return n
}

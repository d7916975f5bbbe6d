package s3

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"calotype/kit/fault"
)

// How long an upload waits for memory. It may hold some itself, so that waiting for ever could be for each other.
const memoryWithin = 5 * time.Second

// firstPart is what an upload begins with; it takes more as more comes, so that small blobs hold little.
const firstPart = 256 << 10

// memory bounds what all uploads of a store hold.
type memory struct {
	room    *semaphore.Weighted
	within  time.Duration
	metrics *Metrics
	whole   chan []byte // parts of full size that are free, and still counted as free
	part    int
}

func newMemory(cfg Config, metrics *Metrics) *memory {
	return &memory{
		room: semaphore.NewWeighted(int64(cfg.Memory)), within: memoryWithin, metrics: metrics, part: int(cfg.PartSize),
		whole: make(chan []byte, max(1, int(cfg.Memory/cfg.PartSize)/2)),
	}
}

// grow gives a larger buffer with the same content, of which there may be none yet.
func (m *memory) grow(ctx context.Context, old []byte) ([]byte, error) {
	return m.enlarge(ctx, old, min(max(firstPart, 4*cap(old)), m.part))
}

func (m *memory) enlarge(ctx context.Context, old []byte, size int) ([]byte, error) {
	more := int64(size - cap(old))
	if !m.room.TryAcquire(more) {
		wait, cancel := context.WithTimeout(ctx, m.within)
		defer cancel()
		if err := m.room.Acquire(wait, more); err != nil {
			if ctx.Err() != nil {
				return old, ctx.Err()
			}
			full := fault.New(fault.Unavailable, "STORAGE_BUSY", "the storage has no memory left for another part of an upload")
			full.RetryAfter = time.Second
			return old, full
		}
	}
	m.metrics.memory.Add(float64(more))
	return append(m.make(size), old...), nil
}

func (m *memory) make(size int) []byte {
	if size == m.part {
		select {
		case b := <-m.whole:
			return b
		default:
		}
	}
	return make([]byte, 0, size)
}

// free takes a buffer back.
func (m *memory) free(b []byte) {
	if cap(b) == 0 {
		return
	}
	m.room.Release(int64(cap(b)))
	m.metrics.memory.Sub(float64(cap(b)))
	if cap(b) == m.part {
		select {
		case m.whole <- b[:0]:
		default:
		}
	}
}

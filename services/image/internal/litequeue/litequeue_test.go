package litequeue_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"calotype/services/image/internal/litequeue"
	"calotype/services/image/internal/queuetest"
)

// file is a broker: what processes share.
type file struct{ cfg litequeue.Config }

func newFile(t *testing.T, s queuetest.Settings) file {
	cfg := litequeue.DefaultConfig()
	cfg.Path = filepath.Join(t.TempDir(), "queue file.db")
	cfg.Lease, cfg.MaxDeliveries, cfg.Poll = s.Lease, s.MaxDeliveries, 20*time.Millisecond
	return file{cfg}
}

func (f file) Connect(t *testing.T) queuetest.Client { return f.open(t) }

func (f file) open(t *testing.T) *litequeue.Queue {
	t.Helper()
	q, err := litequeue.Open(f.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return q
}

func TestQueue(t *testing.T) {
	queuetest.Exercise(t, func(t *testing.T, s queuetest.Settings) queuetest.Broker { return newFile(t, s) }, queuetest.Traits{Deduplicates: true})
}

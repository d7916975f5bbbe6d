package litequeue

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"calotype/services/image/internal/job"
)

// What Publish acknowledges waits for the disk; claims and ends of work do not.
func TestOnlyDurableOperationsWaitForTheDisk(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Path = filepath.Join(t.TempDir(), "q.db")
	q, err := Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	const normal, full = 1, 2
	for _, c := range []struct {
		durable bool
		want    int
	}{{true, full}, {false, normal}, {false, normal}, {true, full}} {
		var synchronous int
		var journal string
		err := q.do(context.Background(), c.durable, func(t tx) error {
			if err := t.conn.QueryRowContext(context.Background(), "PRAGMA synchronous").Scan(&synchronous); err != nil {
				return err
			}
			return t.conn.QueryRowContext(context.Background(), "PRAGMA journal_mode").Scan(&journal)
		})
		if err != nil || synchronous != c.want || journal != "wal" {
			t.Errorf("durable %t: synchronous %d, want %d; journal %s; %v", c.durable, synchronous, c.want, journal, err)
		}
	}
}

// Publish must ask for the disk: nothing short of a power cut would show that it does not.
func TestPublishIsDurable(t *testing.T) {
	q := &Queue{ops: make(chan *op), closing: make(chan struct{}), stopped: make(chan struct{})}
	acknowledged := make(chan error, 1)
	go func() { acknowledged <- q.Publish(context.Background(), "t", job.Message{ID: "a"}) }()
	o := <-q.ops
	if !o.durable {
		t.Error("Publish does not wait for the disk")
	}
	if len(acknowledged) > 0 {
		t.Error("Publish returned before the writer was done")
	}
	o.done <- nil
	if err := <-acknowledged; err != nil {
		t.Error(err)
	}
}

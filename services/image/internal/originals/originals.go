// Package originals keeps originals near the pixels: in memory and, where it is given a folder, on disk, each within a bound of bytes
// and of time. It stands before any worker.Originals and is one itself.
package originals

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/cache"
	"calotype/kit/flight"
	"calotype/services/image/internal/job"
)

// Source is where originals come from that are not kept.
type Source interface {
	Open(ctx context.Context, d job.Digest, limit int64) ([]byte, error)
}

// Store implements worker.Originals. Bytes that it gives are shared: nobody may write to them.
type Store struct {
	cfg     Config
	source  Source
	memory  *cache.Cache[job.Digest, []byte]
	disk    *disk // nil: none
	fetches flight.Group[wish, []byte]
	metrics *metrics
	log     *slog.Logger
}

// wish is what one fetch is for. The limit belongs to it: it is the source that tells what is too large.
type wish struct {
	digest job.Digest
	limit  int64
}

// New opens the folder, where there is one. Call Run too: without it nothing is written to the folder, and nothing is dropped in time.
func New(cfg Config, source Source, registry prometheus.Registerer, log *slog.Logger) (*Store, error) {
	s := &Store{cfg: cfg, source: source, log: log}
	s.memory = cache.New[job.Digest, []byte](cache.Config[job.Digest]{
		Bytes: int64(cfg.Memory), Idle: cfg.Idle,
		Dropped: func(_ job.Digest, _ int64, why string) { s.metrics.dropped.WithLabelValues(fromMemory, why).Inc() },
	})
	if cfg.Folder != "" {
		d, err := openDisk(cfg, func(why string) { s.metrics.dropped.WithLabelValues(fromDisk, why).Inc() })
		if err != nil {
			return nil, err
		}
		s.disk = d
	}
	s.metrics = newMetrics(registry, s)
	if s.disk != nil {
		s.disk.load()
	}
	return s, nil
}

// Open gives a kept original, or has one fetch answer everybody who asks for it meanwhile. Fails as the source does.
func (s *Store) Open(ctx context.Context, d job.Digest, limit int64) ([]byte, error) {
	if data, ok := s.memory.Get(d); ok && int64(len(data)) <= limit {
		s.metrics.opened.WithLabelValues(fromMemory).Inc()
		return data, nil
	}
	data, shared, err := s.fetches.Do(ctx, wish{d, limit}, func(ctx context.Context) ([]byte, error) { return s.fetch(ctx, d, limit) })
	if shared && err == nil {
		s.metrics.opened.WithLabelValues(fromAnother).Inc()
	}
	return data, err
}

func (s *Store) fetch(ctx context.Context, d job.Digest, limit int64) ([]byte, error) {
	if s.disk != nil {
		if data := s.disk.read(d, limit, original); data != nil {
			s.metrics.opened.WithLabelValues(fromDisk).Inc()
			s.memory.Add(d, data, int64(len(data)))
			return data, nil
		}
	}
	data, err := s.source.Open(ctx, d, limit)
	if err != nil {
		return nil, err
	}
	s.metrics.opened.WithLabelValues(fromStorage).Inc()
	s.memory.Add(d, data, int64(len(data)))
	if s.disk != nil && !s.disk.offer(d, data) {
		s.metrics.skipped.Inc()
	}
	return data, nil
}

// Bytes is what is kept in memory.
func (s *Store) Bytes() int64 {
	_, bytes := s.memory.Size()
	return bytes
}

// Run drops what nobody used for its time, and writes to the folder, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Idle / 4)
	defer tick.Stop()
	written := make(chan struct{})
	defer func() { <-written }()
	go func() {
		defer close(written)
		s.write(ctx)
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.memory.Sweep()
	}
}

// write is the one who writes to the folder, so that a slow disk keeps nobody waiting.
func (s *Store) write(ctx context.Context) {
	if s.disk == nil {
		return
	}
	tick := time.NewTicker(s.cfg.DiskIdle / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.disk.index.Sweep()
		case o := <-s.disk.offers:
			if err := s.disk.take(o); err != nil {
				s.metrics.skipped.Inc()
				s.log.WarnContext(ctx, "an original cannot be kept on disk", "digest", o.digest, "error", err)
			}
		}
	}
}

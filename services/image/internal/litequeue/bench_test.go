package litequeue_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/litequeue"
)

func openBench(b *testing.B, dir string) *litequeue.Queue {
	cfg := litequeue.DefaultConfig()
	cfg.Path, cfg.Exclusive = filepath.Join(dir, "q.db"), true
	q, err := litequeue.Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = q.Close() })
	return q
}

// BenchmarkPublish acknowledges messages of 1 KiB, from one caller and from many at once.
func BenchmarkPublish(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			q := openBench(b, b.TempDir())
			var n atomic.Int64
			b.SetParallelism(callers)
			run := func() {
				if err := q.Publish(context.Background(), "t", job.Message{ID: fmt.Sprint(n.Add(1)), Body: make([]byte, 1024)}); err != nil {
					b.Error(err)
				}
			}
			b.ResetTimer()
			if callers == 1 {
				for range b.N {
					run()
				}
			} else {
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						run()
					}
				})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkConsume claims and acknowledges what is there already, with handlers that do nothing.
func BenchmarkConsume(b *testing.B) {
	for _, slots := range []int{1, 2, 64} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) {
			q := openBench(b, b.TempDir())
			messages := make([]job.Message, b.N)
			for i := range messages {
				messages[i] = job.Message{ID: fmt.Sprint(i), Body: make([]byte, 1024)}
			}
			if err := q.Publish(context.Background(), "t", messages...); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			consumeAll(b, q, slots)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkBoth publishes from 64 callers while 64 slots consume.
func BenchmarkBoth(b *testing.B) {
	q := openBench(b, b.TempDir())
	var n atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	consumed := make(chan struct{})
	go func() { defer close(consumed); consumeAll(b, q, 64) }()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := q.Publish(context.Background(), "t", job.Message{ID: fmt.Sprint(n.Add(1)), Body: make([]byte, 1024)}); err != nil {
				b.Error(err)
			}
		}
	})
	<-consumed
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func consumeAll(b *testing.B, q *litequeue.Queue, slots int) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var n atomic.Int64
	err := q.Consume(ctx, "t", slots, func(context.Context, job.Delivery) job.Verdict {
		if n.Add(1) == int64(b.N) {
			cancel()
		}
		return job.Done()
	})
	if err != nil {
		b.Error(err)
	}
}

package manager_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/opentracing/opentracing-go"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/litequeue"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/sqlite"
)

// BenchmarkJobs is the machinery alone, from Create to the end of the job, with nodes that do nothing: SQLite, the embedded queue,
// three durable steps a job.
func BenchmarkJobs(b *testing.B) {
	folder := b.TempDir()
	store, err := sqlite.Open(b.Context(), filepath.Join(folder, "image.db"))
	if err != nil {
		b.Fatal(err)
	}
	lite := litequeue.DefaultConfig()
	lite.Path, lite.Exclusive = filepath.Join(folder, "queue.db"), true
	queue, err := litequeue.Open(lite, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	presets, err := recipe.DefaultPresets().Compile()
	if err != nil {
		b.Fatal(err)
	}
	m := manager.New(manager.DefaultConfig(), manager.Parts{
		Store: store, Queue: queue, Inspector: &inspector{}, Blobs: &shelf{}, Presets: presets, Tracer: opentracing.NoopTracer{}, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{m.Relay.Run, m.Reports.Run, m.DeadLetters.Run, func(ctx context.Context) error {
		return queue.Consume(ctx, job.Tasks, 16, func(ctx context.Context, d job.Delivery) job.Verdict { return playSuccess(ctx, b, queue, d) })
	}} {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	b.Cleanup(func() {
		cancel()
		wg.Wait()
		_, _ = queue.Close(), store.Close()
	})
	var done sync.WaitGroup
	const callers = 64
	todo := make(chan struct{})
	for range callers {
		done.Go(func() {
			for range todo {
				a, err := m.Images.Create(ctx, manager.CreateImage{Digest: digest(1), Work: manager.Work{Preset: "thumb"}})
				if err == nil {
					err = m.Jobs.Watch(ctx, a.Job.ID, 0, func(job.Event) error { return nil })
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	began := time.Now()
	b.ResetTimer()
	for range b.N {
		todo <- struct{}{}
	}
	close(todo)
	done.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "jobs/s")
}

package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// Benchmark tells what a store bears: accepted jobs, changes of jobs (a beginning and an end each), and messages relayed to a queue that takes
// no time, by one caller and by many at once.
func Benchmark(b *testing.B, open func(testing.TB) job.Store) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := open(b)
			im := newImage(1)
			if _, err := s.Commit(b.Context(), job.Commit{Image: &im}); err != nil {
				b.Fatal(err)
			}
			jobs := make([]job.Change, b.N)
			for i := range jobs {
				jobs[i] = jobLike(im, job.Wishes{})
			}
			rate := func(what string, n int, do func(context.Context, int) error) {
				began := time.Now()
				spread(b, callers, b.N, do)
				b.ReportMetric(float64(n)/time.Since(began).Seconds(), what+"/s")
			}
			b.ResetTimer()
			rate("commits", b.N, func(ctx context.Context, i int) error {
				_, err := s.Commit(ctx, job.Commit{Jobs: jobs[i : i+1]})
				return err
			})
			rate("updates", 2*b.N, func(ctx context.Context, i int) error {
				for _, r := range []job.Report{{Job: jobs[i].Job.ID, Run: 1, Attempt: 1, Kind: job.Began, Node: "w1", Time: epoch}, finished(jobs[i].Job)} {
					_, err := s.Update(ctx, r.Job, func(j job.Job) (job.Change, error) {
						next, events := job.Apply(j, r, epoch.Add(time.Hour))
						return job.Change{Job: next, Events: events}, nil
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			began, sent := time.Now(), 0
			for n := 1; n > 0; sent += n {
				var err error
				if n, err = s.Relay(b.Context(), job.Normal, 256, func(context.Context, []job.Outgoing) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			if sent != b.N {
				b.Errorf("relayed %d of %d", sent, b.N)
			}
			b.ReportMetric(float64(sent)/time.Since(began).Seconds(), "relayed/s")
			b.ReportMetric(0, "ns/op") // three things at once
		})
	}
}

// spread does n things by some callers at once.
func spread(b *testing.B, callers, n int, do func(context.Context, int) error) {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	for range callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(b.Context(), i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

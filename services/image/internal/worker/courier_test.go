package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// Short work tells only its end; what lasts tells that it began, and so does what was tried before.
func TestShortWorkTellsOnlyItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		lasts   bool
		attempt int
		told    []job.ReportKind
	}{
		"short":                    {false, 1, []job.ReportKind{job.Finished}},
		"long":                     {true, 1, []job.ReportKind{job.Began, job.Finished}},
		"short, but not the first": {false, 2, []job.ReportKind{job.Began, job.Finished}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			w := b.worker()
			w.Consumer.paces.began = time.Hour
			if c.lasts {
				w.Consumer.paces.began = time.Millisecond
				b.put = func(job.Digest) error {
					eventually(t, "the beginning is told", func() bool {
						b.mu.Lock()
						defer b.mu.Unlock()
						return len(b.reports) == 1
					})
					return nil
				}
			}
			before := time.Now()
			if v := w.Consumer.handle(t.Context(), delivery(t, c.attempt, thumb())); !v.IsDone() {
				t.Errorf("verdict %+v", v)
			}
			if !slices.Equal(b.kinds(), c.told) {
				t.Fatalf("told %v, want %v", b.kinds(), c.told)
			}
			if last := b.reports[len(b.reports)-1]; last.Started.Before(before) || last.Started.After(last.Time) {
				t.Errorf("it says it started at %v and ended at %v", last.Started, last.Time)
			}
		})
	}
}

// slowQueue takes a message when it is let.
type slowQueue struct {
	job.Queue
	let      chan error
	mu       sync.Mutex
	messages []job.Message
}

func (q *slowQueue) Publish(_ context.Context, _ string, ms ...job.Message) error {
	q.mu.Lock()
	q.messages = append(q.messages, ms...)
	q.mu.Unlock()
	return <-q.let
}

// What is told while messages are on their way goes together, each once, and each hears what became of its own message.
func TestReportsTravelTogether(t *testing.T) {
	q := &slowQueue{let: make(chan error)}
	c := &courier{queue: q}
	const many = 20
	failed := make(chan error, many)
	var all sync.WaitGroup
	tell := func(i int) {
		all.Go(func() {
			failed <- c.tell(t.Context(), job.Told{Report: job.Report{Job: job.ID(fmt.Sprintf("job_%d", i)), Run: 1, Attempt: 1, Kind: job.Finished}})
		})
	}
	onWay := func() int {
		q.mu.Lock()
		defer q.mu.Unlock()
		return len(q.messages)
	}
	for i := range couriers {
		tell(i)
		eventually(t, "it is on its way", func() bool { return onWay() == i+1 })
	}
	for i := range many - couriers {
		tell(couriers + i)
	}
	eventually(t, "the others wait", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.waiting) == many-couriers
	})
	q.let <- errors.New("lost")
	eventually(t, "the others are on their way", func() bool { return onWay() == couriers+1 })
	close(q.let)
	all.Wait()
	close(failed)
	errs := 0
	for err := range failed {
		if err != nil {
			errs++
		}
	}
	seen := map[job.ID]bool{}
	for _, m := range q.messages {
		told, err := job.ReadReports(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range told {
			seen[one.Report.Job] = true
		}
	}
	if errs != 1 || len(q.messages) != couriers+1 || len(seen) != many {
		t.Errorf("%d reports failed, %d came in %d messages", errs, len(seen), len(q.messages))
	}
}

func TestWhoLeavesWaitsForNoReport(t *testing.T) {
	q := &slowQueue{let: make(chan error)}
	defer close(q.let)
	c := &courier{queue: q}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.tell(ctx, job.Told{Report: job.Report{Job: "job_1"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

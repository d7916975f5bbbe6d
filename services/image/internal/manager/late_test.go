package manager_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// A report that waited for most of the grace: its results are used once more before the store refers to them.
func TestLateReports(t *testing.T) {
	for name, gone := range map[string]bool{"results that are there": false, "results that were collected": true} {
		t.Run(name, func(t *testing.T) {
			c, folder := &clock{}, t.TempDir()
			first := begin(t, in(folder), still)
			a := first.create(thumb())
			results := made(job.Task{Recipe: a.Job.Recipe})
			body, _ := json.Marshal(job.Report{Job: a.Job.ID, Run: 1, Attempt: 1, Kind: job.Finished, Node: "played", Time: time.Now(), Results: results})
			if err := first.queue.Publish(t.Context(), job.Reports, job.Message{ID: "late", Body: body}); err != nil {
				t.Fatal(err)
			}
			stored := time.Now()
			first.close()

			c.forward(20 * time.Hour) // with no manager running
			w := begin(t, in(folder), still, func(s *setting) { s.parts.Now = c.now })
			w.shelf.strict, w.shelf.now = true, c.now
			w.shelf.put(stored, a.Image.Digest, results[0].Digest)
			if !gone {
				w.shelf.put(stored, results[1].Digest)
			}
			ctx, cancel := context.WithCancel(t.Context())
			over := make(chan error, 1)
			go func() { over <- w.Reports.Run(ctx) }()
			w.settle()
			cancel()
			if err := <-over; err != nil {
				t.Fatal(err)
			}
			j, err := w.Jobs.Get(t.Context(), a.Job.ID)
			if want := map[bool]job.State{false: job.Succeeded, true: job.Queued}[gone]; err != nil || j.State != want {
				t.Fatalf("the job is %+v, %v, want %s", j, err, want)
			}
			if gone {
				return // the reconciler finds it
			}
			c.forward(10 * time.Hour)
			w.round(w.Collector)
			if all := w.shelf.all(); len(all) != 3 {
				t.Errorf("storage is left with %v", all)
			}
		})
	}
}

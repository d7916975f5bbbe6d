package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/services/image/internal/job"
	"calotype/services/image/worker/app"
)

// TestMain lets the test binary be a helper.
func TestMain(m *testing.M) {
	app.Help(app.WithDecoder(dreading))
	os.Exit(m.Run())
}

const (
	poison = "calotype poison" // a picture that holds it crashes what decodes it
	tough  = "calotype tough"  // it takes its time
)

type fragile struct{ app.Engine }

func dreading(e app.Engine) app.Engine { return fragile{e} }

func (f fragile) Render(ctx context.Context, in app.Input, variants []app.Variant, tell func(app.Progress)) ([]app.Rendered, error) {
	if bytes.Contains(in.Data, []byte(poison)) {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGSEGV)
		select {}
	}
	if bytes.Contains(in.Data, []byte(tough)) {
		t := time.NewTimer(700 * time.Millisecond)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return f.Engine.Render(ctx, in, variants, tell)
}

// isolated runs a worker with helpers, on a queue of its own.
func isolated(t *testing.T) (node, job.Queue, *prometheus.Registry, func() error) {
	t.Helper()
	host, n := store(t)
	cfg := config(t, filepath.Join(t.TempDir(), "queue.db"))
	cfg.Worker.Isolation.Mode = "process"
	cfg.Worker.Isolation.Memory = 1 << 50 // the race detector's shadow counts
	q := n.join(t, cfg)
	leave := worker(t, cfg, host)
	return n, q, host.Metrics, leave
}

// digest keeps a photograph with something behind its end.
func (n node) with(t *testing.T, word string) job.Digest {
	t.Helper()
	data, err := os.ReadFile("../../../../test/pictures/photo.jpg")
	if err != nil {
		t.Fatal(err)
	}
	return n.keepBytes(t, append(data, word...))
}

// Five pictures that crash whatever decodes them are set aside after three attempts each, in a worker that lives on, and the jobs
// beside them succeed.
func TestPoisonCostsOnlyItself(t *testing.T) {
	n, q, metrics, _ := isolated(t)
	good := n.keep(t, "photo.jpg")
	const goodJobs, poisonJobs = 20, 5
	for i := range goodJobs {
		if i%4 == 0 {
			n.ask(t, job.ID(fmt.Sprintf("job_poison%d", i/4)), n.with(t, fmt.Sprint(poison, i)), variant(t, "a", "w_48,f_jpeg"))
		}
		n.ask(t, job.ID(fmt.Sprintf("job_good%d", i)), good, variant(t, "a", fmt.Sprintf("w_%d,f_jpeg", 40+i)))
	}
	for i := range goodJobs {
		reports := n.told(t, job.ID(fmt.Sprintf("job_good%d", i)))
		if last := reports[len(reports)-1]; last.Kind != job.Finished {
			t.Errorf("good job %d: %+v, %+v", i, last, last.Failure)
		}
	}
	eventually(t, "the poisonous jobs are set aside", func() bool {
		depth, err := q.Depth(t.Context(), job.DeadTasks)
		return err == nil && depth.Ready == poisonJobs
	})
	if n := total(t, metrics, "calotype_worker_helper_ends_total", "crashed"); n != 3*poisonJobs {
		t.Errorf("%v helpers crashed, of %d jobs", n, poisonJobs)
	}
}

// A worker that leaves lets its helpers finish what they have begun, and leaves none behind.
func TestLeavingWaitsForHelpers(t *testing.T) {
	n, q, metrics, leave := isolated(t)
	n.ask(t, "job_tough", n.with(t, tough), variant(t, "a", "w_48,f_jpeg"))
	eventually(t, "the work begins", func() bool {
		depth, err := q.Depth(t.Context(), job.Tasks)
		return err == nil && depth.Leased == 1
	})
	if err := leave(); err != nil {
		t.Error(err)
	}
	reports := n.told(t, "job_tough")
	if last := reports[len(reports)-1]; last.Kind != job.Finished {
		t.Errorf("it ended with %+v", last)
	}
	if n := total(t, metrics, "calotype_worker_helpers", ""); n != 0 {
		t.Errorf("%v helpers are left", n)
	}
}

// total is the value of a metric with a label, or of one without any.
func total(t *testing.T, r *prometheus.Registry, name, label string) float64 {
	t.Helper()
	all, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() == label) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatal(errors.New("no " + name))
	return 0
}

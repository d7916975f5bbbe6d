package manager_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/services/image/internal/job"
)

// metric is one of the manager's counts, by its name and the value of its first label: a counter's value, or how many a histogram has seen
// and their sum.
func (w *world) metric(name, label string) (value float64, seen uint64, sum float64) {
	w.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(w.Counts)
	families, err := registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetCounter().GetValue(), m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
			}
		}
	}
	w.t.Fatalf("there is no %s of %s", name, label)
	return 0, 0, 0
}

// What an alarm looks for is told before it happens: of a counter that begins at 1 Prometheus sees no increase.
func TestRefusalsAreToldFromTheStart(t *testing.T) {
	w := begin(t)
	for _, reason := range []string{"BACKLOG_FULL", "STORE_UNAVAILABLE", "STORE_FAILED"} {
		if n, _, _ := w.metric("calotype_jobs_rejected_total", reason); n != 0 {
			t.Errorf("%v were refused with %s", n, reason)
		}
	}
}

// Whether the beginning of an attempt is told or, as of short work, only its end: how long a job waited for its first one is known.
func TestWaitIsCounted(t *testing.T) {
	for name, kinds := range map[string][]job.ReportKind{
		"told": {job.Began, job.Finished}, "short": {job.Finished}, "short and in vain": {job.GaveUp}, "postponed": {job.Postpone, job.GaveUp},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t)
			w.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
				kind := kinds[min(d.Attempt, len(kinds))-1]
				if kinds[0] == job.Began {
					tell(job.Report{Kind: job.Began})
					kind = job.Finished
				}
				tell(job.Report{Kind: kind, Started: time.Now(), Results: made(task)})
				if kind == job.Postpone {
					return job.Again(0)
				}
				return job.Done()
			})
			w.ended(w.create(thumb()).Job.ID)
			eventually(t, "its end and its wait are counted", func() bool { // each by whoever applied that report
				_, waits, _ := w.metric("calotype_job_wait_seconds", string(job.Normal))
				succeeded, _, _ := w.metric("calotype_jobs_ended_total", string(job.Succeeded))
				failed, _, _ := w.metric("calotype_jobs_ended_total", string(job.Failed))
				return succeeded+failed == 1 && waits > 0
			})
			if _, seen, sum := w.metric("calotype_job_wait_seconds", string(job.Normal)); seen != 1 || sum > 20 {
				t.Errorf("%d waits were counted, %v s", seen, sum)
			}
		})
	}
}

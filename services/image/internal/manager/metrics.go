package manager

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/services/image/internal/job"
)

// Counter is what metrics need of a store.
type Counter interface {
	Census(ctx context.Context) (job.Census, error)
}

// Metrics asks the store and the queue whenever it is asked itself, so that every manager on one store tells the same.
type Metrics struct {
	Store   Counter
	Queue   job.Queue
	Timeout time.Duration // for all questions together
}

var (
	jobsDesc      = describe("calotype_jobs", "Jobs by state.", "state")
	jobAgeDesc    = describe("calotype_jobs_oldest_unfinished_seconds", "Age of the oldest job that has not ended; 0 with none.")
	outboxDesc    = describe("calotype_outbox_messages", "Messages that the queue does not have yet.")
	outboxAgeDesc = describe("calotype_outbox_oldest_seconds", "Age of the oldest message that the queue does not have yet; 0 with none.")
	queueDesc     = describe("calotype_queue_messages", "Messages in the queue: ready for a consumer, or leased to one.", "topic", "standing")
	queueAgeDesc  = describe("calotype_queue_oldest_seconds", "Age of the oldest message that waits for a consumer; 0 with none.", "topic")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, jobAgeDesc, outboxDesc, outboxAgeDesc, queueDesc, queueAgeDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector. What cannot be asked is left out, so that its absence can raise an alarm and the rest is told.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), m.Timeout)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if c, err := m.Store.Census(ctx); err == nil {
		for state, n := range c.Jobs {
			gauge(jobsDesc, float64(n), string(state))
		}
		gauge(jobAgeDesc, age(c.OldestUnfinished))
		gauge(outboxDesc, float64(c.Outbox))
		gauge(outboxAgeDesc, age(c.OldestOutgoing))
	}
	for _, topic := range []string{job.Tasks, job.DeadTasks, job.Reports, job.Reports + ".dead"} {
		d, err := m.Queue.Depth(ctx, topic)
		if err != nil {
			continue
		}
		gauge(queueDesc, float64(d.Ready), topic, "ready")
		gauge(queueDesc, float64(d.Leased), topic, "leased")
		gauge(queueAgeDesc, d.Oldest.Seconds(), topic)
	}
}

func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, time.Since(since).Seconds())
}

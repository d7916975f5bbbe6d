package manager

import (
	"context"
	"sync"
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
	Timeout time.Duration // for what each of them is asked
	Backlog func() int    // the most messages that may wait for the queue
}

var (
	jobsDesc      = describe("calotype_jobs", "Jobs by state.", "state")
	jobAgeDesc    = describe("calotype_jobs_oldest_unfinished_seconds", "Age of the oldest job that has not ended; 0 with none.")
	outboxDesc    = describe("calotype_outbox_messages", "Messages that the queue does not have yet.")
	outboxMaxDesc = describe("calotype_outbox_limit", "How many messages may wait for the queue before no more work is accepted.")
	outboxAgeDesc = describe("calotype_outbox_oldest_seconds", "Age of the oldest message that the queue does not have yet; 0 with none.")
	noticeDesc    = describe("calotype_webhooks_pending", "Webhooks that are still to be delivered.")
	noticeAgeDesc = describe("calotype_webhooks_oldest_seconds", "Age of the oldest webhook that is still to be delivered; 0 with none.")
	upDesc        = describe("calotype_image_dependency_up", "1 where the store or the queue answered just now, 0 where it did not; then what it would tell is missing.", "dependency")
	queueDesc     = describe("calotype_queue_messages", "Messages in the queue: ready for a consumer, or leased to one.", "topic", "standing")
	queueAgeDesc  = describe("calotype_queue_oldest_seconds", "Age of the oldest message that waits for a consumer; 0 with none.", "topic")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{jobsDesc, jobAgeDesc, outboxDesc, outboxMaxDesc, outboxAgeDesc, noticeDesc, noticeAgeDesc, upDesc, queueDesc, queueAgeDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector. What cannot be asked is left out, so that its absence can raise an alarm and the rest is told.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	gauge(to, outboxMaxDesc, float64(m.Backlog()))
	var asked sync.WaitGroup // at once: neither takes the other's time away
	asked.Go(func() { m.askStore(to) })
	asked.Go(func() { m.askQueue(to) })
	asked.Wait()
}

func (m *Metrics) askStore(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), m.Timeout)
	defer cancel()
	c, err := m.Store.Census(ctx)
	gauge(to, upDesc, one(err == nil), "store")
	if err != nil {
		return
	}
	for state, n := range c.Jobs {
		gauge(to, jobsDesc, float64(n), string(state))
	}
	gauge(to, jobAgeDesc, age(c.OldestUnfinished))
	gauge(to, outboxDesc, float64(c.Outbox))
	gauge(to, outboxAgeDesc, age(c.OldestOutgoing))
	gauge(to, noticeDesc, float64(c.Webhooks))
	gauge(to, noticeAgeDesc, age(c.OldestWebhook))
}

func (m *Metrics) askQueue(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), m.Timeout)
	defer cancel()
	answered := true
	for _, topic := range []string{job.Tasks, job.DeadTasks, job.Reports, job.Reports + ".dead"} {
		d, err := m.Queue.Depth(ctx, topic)
		if err != nil {
			answered = false
			continue
		}
		gauge(to, queueDesc, float64(d.Ready), topic, "ready")
		gauge(to, queueDesc, float64(d.Leased), topic, "leased")
		gauge(to, queueAgeDesc, d.Oldest.Seconds(), topic)
	}
	gauge(to, upDesc, one(answered), "queue")
}

func gauge(to chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, time.Since(since).Seconds())
}

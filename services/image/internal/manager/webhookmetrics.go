package manager

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// webhookMetrics counts attempts. A nil one counts nothing.
type webhookMetrics struct {
	total   *prometheus.CounterVec
	seconds prometheus.Histogram
}

func newWebhookMetrics(r prometheus.Registerer) *webhookMetrics {
	if r == nil {
		return nil
	}
	m := &webhookMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_webhooks_total", Help: "Attempts to deliver webhooks, by what came of them: delivered, retried (they are made again) or failed (given up).",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "calotype_webhooks_seconds", Help: "What attempts to deliver webhooks took, whatever came of them.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60},
		}),
	}
	for _, outcome := range []string{"delivered", "retried", "failed"} {
		m.total.WithLabelValues(outcome) // so that each is told from the start
	}
	r.MustRegister(m.total, m.seconds)
	return m
}

func (m *webhookMetrics) count(outcome string) {
	if m != nil {
		m.total.WithLabelValues(outcome).Inc()
	}
}

func (m *webhookMetrics) took(d time.Duration) {
	if m != nil {
		m.seconds.Observe(d.Seconds())
	}
}

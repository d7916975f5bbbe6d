package mezzanine

import "github.com/prometheus/client_golang/prometheus"

// What became of a large original that was asked for.
const (
	made     = "made"     // a copy was made
	used     = "used"     // its copy was taken
	unsuited = "unsuited" // what was asked for wants the original
	failed   = "failed"   // no copy could be made
)

type metrics struct {
	outcomes *prometheus.CounterVec
	bytes    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_worker_mezzanines_total", Help: "Reduced copies of large originals: made, used, failed, or unsuited for what was asked for.",
		}, []string{"outcome"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "calotype_worker_mezzanine_bytes_total", Help: "Bytes of reduced copies that were made.",
		}),
	}
	r.MustRegister(m.outcomes, m.bytes)
	for _, outcome := range []string{made, used, unsuited, failed} {
		m.outcomes.WithLabelValues(outcome)
	}
	return m
}

func (m *metrics) count(outcome string) { m.outcomes.WithLabelValues(outcome).Inc() }

func (m *metrics) made(bytes int) {
	m.count(made)
	m.bytes.Add(float64(bytes))
}

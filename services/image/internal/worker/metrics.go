package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what a node does. A nil one counts nothing.
type Metrics struct {
	inUse, waiting *prometheus.GaugeVec
	in, out        prometheus.Counter
	jobs           *prometheus.CounterVec
	engine         *prometheus.HistogramVec
}

// NewMetrics registers a node's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		inUse: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_worker_slots_in_use", Help: "Slots in use, by who uses them.",
		}, []string{"side"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_worker_slots_waiting", Help: "Who waits for a slot.",
		}, []string{"side"}),
		in:  prometheus.NewCounter(prometheus.CounterOpts{Name: "calotype_worker_original_bytes_total", Help: "Bytes of originals read."}),
		out: prometheus.NewCounter(prometheus.CounterOpts{Name: "calotype_worker_result_bytes_total", Help: "Bytes of results made."}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_worker_jobs_total", Help: "Attempts at jobs, by how they ended.",
		}, []string{"outcome"}),
		engine: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "calotype_worker_engine_seconds", Help: "What the engine's operations took, by the format they read or wrote.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"op", "format"}),
	}
	r.MustRegister(m.inUse, m.waiting, m.in, m.out, m.jobs, m.engine)
	return m
}

// Engine counts one operation of the engine.
func (m *Metrics) Engine(op, format string, took time.Duration) {
	m.engine.WithLabelValues(op, format).Observe(took.Seconds())
}

// slots is called with the lock of s.
func (m *Metrics) slots(s *slots) {
	if m == nil {
		return
	}
	for who, name := range sideNames {
		m.inUse.WithLabelValues(name).Set(float64(s.used[who]))
		m.waiting.WithLabelValues(name).Set(float64(len(s.queue[who])))
	}
}

func (m *Metrics) read(bytes int) {
	if m != nil {
		m.in.Add(float64(bytes))
	}
}

func (m *Metrics) wrote(bytes int) {
	if m != nil {
		m.out.Add(float64(bytes))
	}
}

func (m *Metrics) job(outcome string) {
	if m != nil {
		m.jobs.WithLabelValues(outcome).Inc()
	}
}

package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what a node does. A nil one counts nothing.
type Metrics struct {
	slotsTotal, inUse, waiting *prometheus.GaugeVec
	memory, memoryUsed         prometheus.Gauge
	memoryWaiting              *prometheus.GaugeVec
	in, out, redelivered       prometheus.Counter
	shared                     prometheus.Counter
	jobs                       *prometheus.CounterVec
	took, engine               *prometheus.HistogramVec
}

// outcomes are the ways in which attempts end.
var outcomes = []string{"succeeded", "postponed", "gave_up", "cut_off", "dropped"}

// NewMetrics registers a node's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		inUse: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_worker_slots_in_use", Help: "Slots in use, by who uses them.",
		}, []string{"side"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_worker_slots_waiting", Help: "Who waits for a slot.",
		}, []string{"side"}),
		memory: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "calotype_worker_memory_bytes", Help: "Memory for pictures that are worked on at once (worker.memory).",
		}),
		memoryUsed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "calotype_worker_memory_admitted_bytes", Help: "Memory that is foreseen for the pictures that are worked on.",
		}),
		memoryWaiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_worker_memory_waiting", Help: "Who waits for memory, and lends its slot meanwhile.",
		}, []string{"side"}),
		in:  prometheus.NewCounter(prometheus.CounterOpts{Name: "calotype_worker_original_bytes_total", Help: "Bytes of originals read."}),
		out: prometheus.NewCounter(prometheus.CounterOpts{Name: "calotype_worker_result_bytes_total", Help: "Bytes of results made."}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_worker_jobs_total", Help: "Attempts at jobs, by how they ended.",
		}, []string{"outcome"}),
		slotsTotal: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_worker_slots", Help: "Slots that each side may use.",
		}, []string{"side"}),
		redelivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "calotype_worker_redelivered_total", Help: "Tasks that came here after an attempt that was lost, cut off or postponed.",
		}),
		shared: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "calotype_worker_shared_total", Help: "Calls that were answered with what was being made for another.",
		}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "calotype_worker_job_seconds", Help: "What attempts at jobs took, by how they ended.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}, []string{"outcome"}),
		engine: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "calotype_worker_engine_seconds", Help: "What the engine's operations took, by the format they read or wrote.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"op", "format"}),
	}
	r.MustRegister(m.inUse, m.waiting, m.in, m.out, m.jobs, m.engine, m.slotsTotal, m.redelivered, m.took, m.shared, m.memory, m.memoryUsed, m.memoryWaiting)
	for _, outcome := range outcomes {
		m.jobs.WithLabelValues(outcome) // so that each is told from the start
	}
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
		m.slotsTotal.WithLabelValues(name).Set(float64(s.each))
		m.inUse.WithLabelValues(name).Set(float64(s.used[who]))
		m.waiting.WithLabelValues(name).Set(float64(len(s.queue[who])))
		m.memoryWaiting.WithLabelValues(name).Set(float64(s.room.waiting[who]))
	}
	m.memory.Set(float64(s.room.size))
	m.memoryUsed.Set(float64(s.room.used))
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

func (m *Metrics) job(outcome string, took time.Duration) {
	if m != nil {
		m.jobs.WithLabelValues(outcome).Inc()
		m.took.WithLabelValues(outcome).Observe(took.Seconds())
	}
}

func (m *Metrics) again() {
	if m != nil {
		m.redelivered.Inc()
	}
}

func (m *Metrics) share() {
	if m != nil {
		m.shared.Inc()
	}
}

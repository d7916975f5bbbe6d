package isolation

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Why helpers end.
const (
	byCrash    = "crashed"
	byStop     = "stopped"  // it did not heed the end of a call's time
	byPictures = "pictures" // it made so many
	byMemory   = "memory"   // it held too much of it while it was idle
	byFailure  = "failed"   // it did not get ready
	byClose    = "closed"
)

// Metrics counts helpers. A nil one counts nothing.
type Metrics struct {
	alive prometheus.Gauge
	ends  *prometheus.CounterVec
	took  prometheus.Histogram
}

// NewMetrics registers a pool's metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		alive: prometheus.NewGauge(prometheus.GaugeOpts{Name: "calotype_worker_helpers", Help: "Helper processes that are ready."}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_worker_helper_ends_total", Help: "Helper processes that ended, by why: all but the last of a leaving node were replaced.",
		}, []string{"reason"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "calotype_worker_helper_start_seconds", Help: "What it took until a helper process was ready.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
	}
	r.MustRegister(m.alive, m.ends, m.took)
	for _, reason := range []string{byCrash, byStop, byPictures, byMemory, byFailure, byClose} {
		m.ends.WithLabelValues(reason) // so that each is told from the start
	}
	return m
}

func (m *Metrics) started(alive int64, took time.Duration) {
	if m != nil {
		m.alive.Set(float64(alive))
		m.took.Observe(took.Seconds())
	}
}

func (m *Metrics) ended(alive int64, reason string) {
	if m != nil {
		m.alive.Set(float64(alive))
		m.ends.WithLabelValues(reason).Inc()
	}
}

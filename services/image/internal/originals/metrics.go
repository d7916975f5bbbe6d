package originals

import (
	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/cache"
)

// Where an original came from.
const (
	fromMemory  = "memory"
	fromDisk    = "disk"
	fromStorage = "storage"
	fromAnother = "another" // waited for with a caller who asked before
)

// broken is why a file was dropped that no longer gave its digest.
const broken = "broken"

// metrics counts what the tiers do.
type metrics struct {
	opened  *prometheus.CounterVec
	dropped *prometheus.CounterVec
	skipped prometheus.Counter
}

func newMetrics(r prometheus.Registerer, s *Store) *metrics {
	m := &metrics{
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_worker_originals_total", Help: "Originals that were asked for, by where they came from.",
		}, []string{"from"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_worker_originals_dropped_total", Help: "Originals that a node keeps no longer, by tier and why.",
		}, []string{"tier", "why"}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "calotype_worker_originals_unwritten_total", Help: "Originals that were not kept on disk: it was too slow, or failed.",
		}),
	}
	r.MustRegister(m.opened, m.dropped, m.skipped)
	tiers := map[string]func() (int, int64){fromMemory: s.memory.Size}
	if s.disk != nil {
		tiers[fromDisk] = s.disk.index.Size
	}
	for tier, size := range tiers {
		label := prometheus.Labels{"tier": tier}
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "calotype_worker_originals_kept", Help: "Originals that a node keeps.", ConstLabels: label,
		}, func() float64 { n, _ := size(); return float64(n) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "calotype_worker_originals_kept_bytes", Help: "Bytes of originals that a node keeps.", ConstLabels: label,
		}, func() float64 { _, b := size(); return float64(b) }))
		for _, why := range []string{cache.Space, cache.Idle} {
			m.dropped.WithLabelValues(tier, why)
		}
	}
	for _, from := range []string{fromMemory, fromDisk, fromStorage, fromAnother} {
		m.opened.WithLabelValues(from)
	}
	return m
}

package rpc

import (
	"github.com/prometheus/client_golang/prometheus"

	"calotype/services/storage/internal/blob"
)

// Metrics counts what goes in and out.
type Metrics struct {
	in, out, corrupt prometheus.Counter
	puts             [3]prometheus.Counter // by blob.Outcome
	streams          prometheus.Gauge
}

// NewMetrics registers the figures.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "calotype_storage_bytes_total", Help: "Bytes of blobs received (in) and sent (out), complete or not.",
	}, []string{"direction"})
	puts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "calotype_storage_puts_total", Help: "Blobs put, by what was found: stored (new), existed (deduplicated), healed (was damaged).",
	}, []string{"outcome"})
	m := &Metrics{
		in:  bytes.WithLabelValues("in"),
		out: bytes.WithLabelValues("out"),
		corrupt: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "calotype_storage_corrupt_total", Help: "Reads and puts that found the stored bytes of a blob damaged.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "calotype_storage_streams", Help: "Uploads and downloads that are running.",
		}),
	}
	for o := range m.puts {
		m.puts[o] = puts.WithLabelValues(blob.Outcome(o).String())
	}
	reg.MustRegister(bytes, puts, m.corrupt, m.streams)
	return m
}

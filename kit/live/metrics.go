package live

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	version, refused prometheus.Gauge
	documents        *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		version: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "calotype_live_version", Help: "Version of the live document in force: Consul's ModifyIndex, or etcd's revision; 0 for none.",
		}),
		refused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "calotype_live_rejected_version", Help: "Version of a later live document that is wrong and was not taken on; 0 for none.",
		}),
		documents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_live_documents_total", Help: "Live documents that were taken on (applied) or not (rejected).",
		}, []string{"result"}),
	}
	for _, result := range []string{"applied", "rejected"} {
		m.documents.WithLabelValues(result)
	}
	if r != nil {
		r.MustRegister(m.version, m.refused, m.documents)
	}
	return m
}

func (m metrics) applied(version uint64) {
	m.version.Set(float64(version))
	m.refused.Set(0)
	m.documents.WithLabelValues("applied").Inc()
}

func (m metrics) rejected(version uint64) {
	m.refused.Set(float64(version))
	m.documents.WithLabelValues("rejected").Inc()
}

package relay

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what a relay does.
type Metrics struct {
	nodes           *prometheus.GaugeVec
	open            prometheus.Gauge
	carried, cut    prometheus.Counter
	refused, nobody prometheus.Counter
	all             []prometheus.Collector
}

// NewMetrics makes the counters; they are registered by Register.
func NewMetrics() *Metrics {
	connections := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "calotype_edge_connections_total", Help: "Connections from nginx to gateways, by what became of them.",
	}, []string{"outcome"})
	m := &Metrics{
		nodes:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "calotype_edge_nodes", Help: "Gateways in the registry: well; spare, which are well but in another datacenter than the one in use; doubtful."}, []string{"state"}),
		open:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "calotype_edge_connections", Help: "Connections to gateways that are open."}),
		carried: connections.WithLabelValues("carried"), cut: connections.WithLabelValues("cut"),
		refused: connections.WithLabelValues("node_refused"), nobody: connections.WithLabelValues("no_node"),
	}
	m.all = []prometheus.Collector{m.nodes, m.open, connections}
	return m
}

// Register hands the counters to a registry.
func (m *Metrics) Register(r prometheus.Registerer) { r.MustRegister(m.all...) }

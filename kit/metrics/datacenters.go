package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/rpc"
)

// Datacenters tells where the nodes are that a client calls, and where its calls go.
func Datacenters(r prometheus.Registerer, c *rpc.Client) {
	r.MustRegister(&datacenters{
		client: c,
		nodes:  prometheus.NewDesc("calotype_rpc_client_datacenter_nodes", "Nodes that are known, by whether they can be called.", []string{"service", "datacenter", "state"}, nil),
		calls:  prometheus.NewDesc("calotype_rpc_client_datacenter_calls_total", "Calls that went to a datacenter, each attempt.", []string{"service", "datacenter"}, nil),
		inUse:  prometheus.NewDesc("calotype_rpc_client_datacenter_in_use", "1 for the datacenter that calls go to, 0 for the others.", []string{"service", "datacenter"}, nil),
	})
}

type datacenters struct {
	client              *rpc.Client
	nodes, calls, inUse *prometheus.Desc
}

func (d *datacenters) Describe(out chan<- *prometheus.Desc) {
	out <- d.nodes
	out <- d.calls
	out <- d.inUse
}

func (d *datacenters) Collect(out chan<- prometheus.Metric) {
	for _, dc := range d.client.Datacenters() {
		inUse := 0.0
		if dc.InUse {
			inUse = 1
		}
		out <- prometheus.MustNewConstMetric(d.inUse, prometheus.GaugeValue, inUse, dc.Service, dc.Name)
		out <- prometheus.MustNewConstMetric(d.calls, prometheus.CounterValue, float64(dc.Calls), dc.Service, dc.Name)
		out <- prometheus.MustNewConstMetric(d.nodes, prometheus.GaugeValue, float64(dc.Healthy), dc.Service, dc.Name, "healthy")
		out <- prometheus.MustNewConstMetric(d.nodes, prometheus.GaugeValue, float64(dc.Nodes-dc.Healthy), dc.Service, dc.Name, "unhealthy")
	}
}

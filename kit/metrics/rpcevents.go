package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/rpc"
)

// ClientEvents counts what a client does beyond calling: retries, moves from silent nodes, hedges, ejections and returns.
func ClientEvents(r prometheus.Registerer) func(service string, e rpc.Event) {
	events := counter(r, "calotype_rpc_client_events_total", "Retries, moves, hedges, and nodes set aside and back, by service.", "service", "event")
	return func(service string, e rpc.Event) { events.WithLabelValues(service, string(e)).Inc() }
}

// Shed counts the calls that a server turned away because it had more to do than it could.
func Shed(r prometheus.Registerer) func(method string, p rpc.Priority) {
	shed := counter(r, "calotype_rpc_server_shed_total", "Calls turned away by an overloaded server, by method and priority.", "method", "priority")
	return func(method string, p rpc.Priority) {
		switch p {
		case rpc.Interactive, rpc.Bulk:
		default: // callers may write anything
			p = rpc.Normal
		}
		shed.WithLabelValues(method, string(p)).Inc()
	}
}

package metrics

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"calotype/kit/rpc"
)

func TestRPCEvents(t *testing.T) {
	r := prometheus.NewRegistry()
	happened, shed := ClientEvents(r), Shed(r)
	happened("storage", rpc.EventRetry)
	happened("storage", rpc.EventRetry)
	happened("image", rpc.EventEjected)
	shed("/s/M", rpc.Bulk)
	shed("/s/M", rpc.Priority("whatever a caller writes"))
	want := `
# HELP calotype_rpc_client_events_total Retries, moves, hedges, and nodes set aside and back, by service.
# TYPE calotype_rpc_client_events_total counter
calotype_rpc_client_events_total{event="ejected",service="image"} 1
calotype_rpc_client_events_total{event="retry",service="storage"} 2
# HELP calotype_rpc_server_shed_total Calls turned away by an overloaded server, by method and priority.
# TYPE calotype_rpc_server_shed_total counter
calotype_rpc_server_shed_total{method="/s/M",priority="bulk"} 1
calotype_rpc_server_shed_total{method="/s/M",priority="normal"} 1
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

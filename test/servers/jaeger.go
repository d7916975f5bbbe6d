package servers

import (
	"context"
	"testing"
)

// Jaeger is a Jaeger all-in-one that keeps its traces in memory.
type Jaeger struct {
	*Process
	Collector string // where a client posts spans over HTTP: http://host:port/api/traces
	Query     string // the base of the query API: http://host:port
}

// NewJaeger starts an all-in-one and returns when its collector and its query API serve.
func NewJaeger(t testing.TB) *Jaeger {
	t.Helper()
	j := &Jaeger{}
	j.Process = start(t, "jaeger-all-in-one", 5, func(ports []int) ([]string, func(context.Context) error) {
		j.Collector, j.Query = "http://"+local(ports[0])+"/api/traces", "http://"+local(ports[1])
		args := []string{
			"--collector.http-server.host-port=" + local(ports[0]), "--query.http-server.host-port=" + local(ports[1]),
			"--collector.grpc-server.host-port=" + local(ports[2]), "--query.grpc-server.host-port=" + local(ports[3]),
			"--admin.http.host-port=" + local(ports[4]), "--collector.otlp.enabled=false", "--log-level=warn",
		}
		return args, func(ctx context.Context) error {
			if err := answers(ctx, "http://"+local(ports[4])+"/"); err != nil { // tells when all its parts are up
				return err
			}
			return answers(ctx, j.Query+"/api/services")
		}
	})
	return j
}

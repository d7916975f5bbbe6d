package servers

import (
	"context"
	"strconv"
	"testing"
)

// Consul is a Consul agent: by itself in development mode, where it keeps everything in memory, or one server of a cluster.
type Consul struct {
	*Process
	Addr string // of the HTTP API, host:port

	token string // may do everything, where a token is needed
}

// NewConsul starts an agent and returns when it has elected itself and answers consistent reads.
func NewConsul(t testing.TB) *Consul {
	t.Helper()
	c := &Consul{}
	c.Process = start(t, "consul", 3, func(ports []int) ([]string, func(context.Context) error) {
		c.Addr = local(ports[0])
		args := []string{
			"agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-node=test", "-log-level=warn",
			"-http-port=" + strconv.Itoa(ports[0]), "-server-port=" + strconv.Itoa(ports[1]), "-serf-lan-port=" + strconv.Itoa(ports[2]),
			"-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
			"-hcl", "disable_update_check = true",
		}
		return args, func(ctx context.Context) error { return answers(ctx, "http://"+c.Addr+"/v1/catalog/nodes?consistent") }
	})
	return c
}

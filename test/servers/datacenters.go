package servers

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// NewConsulDatacenters starts a server for each datacenter, the n-th at 127.0.n.1, and returns when all know each other. Some 3 s.
func NewConsulDatacenters(t testing.TB, names ...string) []*Consul {
	t.Helper()
	var all []*Consul
	startTogether(t, "Consul in "+strings.Join(names, ", "), func() (processes []*Process) {
		all = nil
		ports := freePorts(t, 4*len(names))
		for i, name := range names {
			c := datacenter(t, i, name, ports)
			c.ready = func(ctx context.Context) error {
				for _, other := range names {
					if err := answers(ctx, "http://"+c.Addr+"/v1/catalog/nodes?consistent&dc="+other); err != nil {
						return fmt.Errorf("%s of %s: %w", name, other, err)
					}
				}
				return nil
			}
			all, processes = append(all, c), append(processes, c.Process)
		}
		return processes
	})
	return all
}

// datacenter prepares the server of one; ports are of all. It keeps its data over a Kill.
func datacenter(t testing.TB, at int, name string, ports []int) *Consul {
	t.Helper()
	dir, own := t.TempDir(), ports[4*at:4*at+4]
	c := &Consul{Addr: there(at, own[0])}
	host, _, _ := net.SplitHostPort(c.Addr) // it was joined above
	p := &Process{t: t, path: find(t, "consul"), log: filepath.Join(dir, "consul.log")}
	p.args = []string{
		"agent", "-server", "-bootstrap-expect=1", "-datacenter=" + name, "-node=" + name, "-bind=" + host, "-client=" + host,
		"-data-dir=" + filepath.Join(dir, "data"), "-log-level=warn", "-http-port=" + strconv.Itoa(own[0]), "-server-port=" + strconv.Itoa(own[1]),
		"-serf-lan-port=" + strconv.Itoa(own[2]), "-serf-wan-port=" + strconv.Itoa(own[3]), "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
		"-retry-join-wan=" + there(0, ports[3]), "-retry-interval-wan=1s",
		"-hcl=disable_update_check = true", "-hcl=performance { raft_multiplier = 1 }", "-hcl=connect { enabled = false }",
	}
	c.Process = p
	t.Cleanup(p.cleanup)
	return c
}

// there is an address of a datacenter's own: those of others are no part of it.
func there(at, port int) string {
	return net.JoinHostPort(fmt.Sprintf("127.0.%d.1", at+1), strconv.Itoa(port))
}

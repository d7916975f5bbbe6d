package servers

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Etcd is one etcd server, by itself or of a cluster. It keeps its data over a Kill.
type Etcd struct {
	*Process
	Addr string // for clients, host:port

	state string // serves health and metrics in clear text, whatever clients need
}

// EtcdCluster is etcd servers that elect a leader.
type EtcdCluster struct {
	Nodes []*Etcd

	t testing.TB
}

// NewEtcd starts a server, and returns when it serves. With files, clients need a certificate.
func NewEtcd(t testing.TB, tls ...TLSFiles) *Etcd {
	t.Helper()
	return NewEtcdCluster(t, 1, tls...).Nodes[0]
}

// NewEtcdCluster starts n servers and returns when they serve. Some 2 s for three.
func NewEtcdCluster(t testing.TB, n int, tls ...TLSFiles) *EtcdCluster {
	t.Helper()
	c := &EtcdCluster{t: t}
	startTogether(t, strconv.Itoa(n)+" etcd servers", func() []*Process { return c.prepare(n, tls) })
	return c
}

// Addresses are the servers' for clients, host:port.
func (c *EtcdCluster) Addresses() []string {
	var out []string
	for _, n := range c.Nodes {
		out = append(out, n.Addr)
	}
	return out
}

// Leader is the server that leads, as soon as one does.
func (c *EtcdCluster) Leader() *Etcd {
	c.t.Helper()
	again, late := time.NewTicker(pollEvery), time.After(readyWithin)
	defer again.Stop()
	for {
		for _, n := range c.Nodes {
			if n.leads() {
				return n
			}
		}
		select {
		case <-again.C:
		case <-late:
			c.t.Fatalf("no etcd server leads after %v", readyWithin)
		}
	}
}

// Follower is a server that does not lead.
func (c *EtcdCluster) Follower() *Etcd {
	c.t.Helper()
	leader := c.Leader()
	for _, n := range c.Nodes {
		if n != leader {
			return n
		}
	}
	c.t.Fatal("there is no other etcd server")
	return nil
}

func (c *EtcdCluster) prepare(n int, tls []TLSFiles) (all []*Process) {
	c.t.Helper()
	c.Nodes = nil
	ports := freePorts(c.t, 3*n)
	var members []string
	for i := range n {
		members = append(members, "etcd-"+strconv.Itoa(i+1)+"=http://"+local(ports[3*i+1]))
	}
	for i := range n {
		node := c.node(i+1, ports[3*i:3*i+3], strings.Join(members, ","), tls)
		c.Nodes, all = append(c.Nodes, node), append(all, node.Process)
	}
	return all
}

func (c *EtcdCluster) node(number int, ports []int, members string, tls []TLSFiles) *Etcd {
	c.t.Helper()
	dir := c.t.TempDir()
	e := &Etcd{Addr: local(ports[0]), state: "http://" + local(ports[2])}
	scheme := "http://"
	p := &Process{t: c.t, path: find(c.t, "etcd"), log: filepath.Join(dir, "etcd.log")}
	if len(tls) > 0 {
		scheme = "https://"
		p.args = []string{"--trusted-ca-file", tls[0].CA, "--cert-file", tls[0].Cert, "--key-file", tls[0].Key, "--client-cert-auth"}
	}
	clients, peers := scheme+e.Addr, "http://"+local(ports[1])
	p.args = append(p.args, "--name=etcd-"+strconv.Itoa(number), "--data-dir="+filepath.Join(dir, "data"), "--log-level=warn",
		"--listen-client-urls="+clients, "--advertise-client-urls="+clients, "--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers,
		"--listen-metrics-urls="+e.state, "--initial-cluster="+members, "--initial-cluster-state=new", "--unsafe-no-fsync", "--bcrypt-cost=4")
	p.ready = func(ctx context.Context) error { return answers(ctx, e.state+"/health") }
	e.Process = p
	c.t.Cleanup(p.cleanup)
	return e
}

// leads reports whether the server says so. One that does not answer does not lead.
func (e *Etcd) leads() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.state+"/metrics", nil)
	if err != nil {
		return false
	}
	rsp, err := asking().Do(req)
	if err != nil {
		return false
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	return err == nil && strings.Contains(string(text), "\netcd_server_is_leader 1\n")
}

package servers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ConsulCluster is servers that know each other, set up as a cluster's are by deploy/consul: access is denied to whoever has no token,
// gossip is encrypted.
type ConsulCluster struct {
	Nodes      []*Consul
	Management string            // a token that may do everything
	Tokens     map[string]string // of services: nginx, gateway, greeter, image-manager, image-worker, storage, prometheus

	t       testing.TB
	folder  string // deploy/consul
	secrets string
}

// NewConsulCluster starts n servers and returns when they have a leader and the services' tokens. Some 4 s for three.
func NewConsulCluster(t testing.TB, n int) *ConsulCluster {
	t.Helper()
	c := &ConsulCluster{t: t, Tokens: map[string]string{}, folder: filepath.Join(checkout(t), "deploy", "consul"), secrets: t.TempDir()}
	c.Management = c.secret("consul-management-token", uuid())
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	c.secret("consul-gossip-key", base64.StdEncoding.EncodeToString(key[:]))
	for _, s := range []string{"nginx", "gateway", "greeter", "image-manager", "image-worker", "storage", "prometheus"} {
		c.Tokens[s] = c.secret("consul-token-"+s, uuid())
	}
	startTogether(t, strconv.Itoa(n)+" Consul servers", func() []*Process { return c.prepare(n) })
	c.Init()
	return c
}

// Addresses are the servers' HTTP APIs, host:port.
func (c *ConsulCluster) Addresses() []string {
	var out []string
	for _, n := range c.Nodes {
		out = append(out, n.Addr)
	}
	return out
}

// Leader is the server that leads, as soon as one does.
func (c *ConsulCluster) Leader() *Consul {
	c.t.Helper()
	again, late := time.NewTicker(pollEvery), time.After(readyWithin)
	defer again.Stop()
	for {
		for _, n := range c.Nodes {
			if n.stats()["state"] == "Leader" {
				return n
			}
		}
		select {
		case <-again.C:
		case <-late:
			c.t.Fatalf("no Consul server leads after %v", readyWithin)
		}
	}
}

// Init runs what sets a cluster up, as it may be at any time.
func (c *ConsulCluster) Init() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", filepath.Join(c.folder, "init.sh"))
	cmd.Env = append(cmd.Environ(), "CONSUL_SERVERS="+strings.Join(c.Addresses(), ","), "SECRETS="+c.secrets, "FOLDER="+c.folder, c.path())
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("init.sh: %v\n%s", err, out)
	}
}

func (c *ConsulCluster) prepare(n int) (all []*Process) {
	c.t.Helper()
	c.Nodes = nil
	ports := freePorts(c.t, 3*n)
	var serf []string
	for i := range n {
		serf = append(serf, local(ports[3*i+2]))
	}
	for i := range n {
		node := c.node(i+1, ports[3*i:3*i+3], serf)
		c.Nodes, all = append(c.Nodes, node), append(all, node.Process)
	}
	return all
}

// node prepares a server. It is ready when it reaches a leader, so that one that was killed is again part of the cluster.
func (c *ConsulCluster) node(number int, ports []int, serf []string) *Consul {
	c.t.Helper()
	dir := c.t.TempDir()
	node := &Consul{Addr: local(ports[0]), token: c.Management}
	p := &Process{t: c.t, path: "/bin/sh", log: filepath.Join(dir, "consul.log")}
	p.args = []string{
		filepath.Join(c.folder, "server.sh"), "-data-dir=" + filepath.Join(dir, "data"), "-bind=127.0.0.1", "-client=127.0.0.1", "-log-level=warn",
		"-http-port=" + strconv.Itoa(ports[0]), "-server-port=" + strconv.Itoa(ports[1]), "-serf-lan-port=" + strconv.Itoa(ports[2]),
	}
	p.env = []string{
		"CONSUL_NODE=consul-" + strconv.Itoa(number), "CONSUL_SERVERS=" + strings.Join(serf, ","),
		"SECRETS=" + c.secrets, "FOLDER=" + c.folder, "RENDERED=" + dir, c.path(),
	}
	p.ready = func(context.Context) error {
		if leader := node.stats()["leader_addr"]; leader == "" || node.stats()["last_contact"] == "never" {
			return fmt.Errorf("it knows no leader")
		}
		return nil
	}
	node.Process = p
	c.t.Cleanup(p.cleanup)
	return node
}

// path has the scripts find the same consul that start does.
func (c *ConsulCluster) path() string {
	return "PATH=" + filepath.Dir(find(c.t, "consul")) + string(os.PathListSeparator) + os.Getenv("PATH")
}

func (c *ConsulCluster) secret(name, value string) string {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.secrets, name), []byte(value+"\n"), 0o600); err != nil {
		c.t.Fatalf("prepare Consul's servers: %v", err)
	}
	return value
}

// Has reports whether a service of this id is registered with this very server. One that does not answer has none.
func (c *Consul) Has(id string) bool {
	var services map[string]json.RawMessage
	return c.tell("/v1/agent/services", &services) && services[id] != nil
}

// stats is what a server tells of its part in the cluster; nothing where it does not answer.
func (c *Consul) stats() map[string]string {
	var self struct {
		Stats map[string]map[string]string
	}
	out := map[string]string{}
	if c.tell("/v1/agent/self", &self) {
		maps.Copy(out, self.Stats["consul"])
		maps.Copy(out, self.Stats["raft"])
	}
	return out
}

func (c *Consul) tell(path string, into any) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Addr+path, nil)
	if err != nil {
		return false
	}
	req.Header.Set("X-Consul-Token", c.token)
	rsp, err := asking().Do(req)
	if err != nil {
		return false
	}
	defer rsp.Body.Close()
	return json.NewDecoder(rsp.Body).Decode(into) == nil
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// checkout is the folder of the module.
func checkout(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "calotype").Output()
	if err != nil {
		t.Fatalf("find the checkout: %v", err)
	}
	return strings.TrimSpace(string(out))
}

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"calotype/test/caller"
	"calotype/test/servers"
)

// cluster is Calotype as many processes around a real registry, queue and database.
type cluster struct {
	*caller.Caller // of the gateway
	t              *testing.T
	env            []string
	postgres       *servers.Postgres
	rabbit         *servers.RabbitMQCluster
	managers       []*node
	workers        []*node
}

// node is a process of Calotype. A manager reaches each of the brokers through a relay of its own.
type node struct {
	*servers.Process
	name   string
	relays []*servers.Relay
}

// plan says how large a cluster is.
type plan struct {
	brokers, managers, workers int
	worker                     string // the worker's program
	webhookSecret              string
}

func newCluster(t *testing.T, p plan) *cluster {
	t.Helper()
	c := &cluster{t: t, postgres: servers.NewPostgres(t), rabbit: servers.NewRabbitMQCluster(t, p.brokers)}
	consul := servers.NewConsul(t)
	front := servers.FreePort(t)
	c.Caller = caller.New("http://" + front)
	c.env = []string{
		"CALOTYPE_REGISTRY__KIND=consul", "CALOTYPE_REGISTRY__ADDRESSES=" + consul.Addr,
		"CALOTYPE_RPC__LISTEN=127.0.0.1:0", "CALOTYPE_LOG__LEVEL=warn", "CALOTYPE_TRACING__SAMPLER=off",
	}
	c.start("storage", "storage", "CALOTYPE_STORAGE__ROOT="+filepath.Join(t.TempDir(), "blobs"))
	database, err := url.Parse(c.postgres.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := database.User.Password()
	database.User = url.User(database.User.Username())
	for i := range p.managers {
		n := &node{name: fmt.Sprintf("manager %d", i+1)}
		var through []string
		for _, broker := range c.rabbit.Nodes {
			r := servers.NewRelay(t, broker.Addr)
			n.relays = append(n.relays, r)
			through = append(through, "amqp://"+r.Addr()+"/")
		}
		n.Process = c.start(n.name, "image", append(queue(through), store(database.String(), password, p.webhookSecret)...)...)
		c.managers = append(c.managers, n)
	}
	var brokers []string
	for _, broker := range c.rabbit.Nodes {
		brokers = append(brokers, "amqp://"+broker.Addr+"/")
	}
	for i := range p.workers {
		n := &node{name: fmt.Sprintf("worker %d", i+1)}
		n.Process = c.start(n.name, p.worker, append(queue(brokers), "CALOTYPE_WORKER__SLOTS=2", "CALOTYPE_WORKER__BACKOFF=200ms")...)
		c.workers = append(c.workers, n)
	}
	c.start("gateway", "gateway", "CALOTYPE_HTTP__LISTEN="+front)
	return c
}

func (c *cluster) start(name, program string, more ...string) *servers.Process {
	c.t.Helper()
	ops := servers.FreePort(c.t)
	asked := caller.New("http://" + ops)
	return servers.Run(c.t, servers.Program{
		Path: filepath.Join(bin, program),
		Env:  append(append(slices.Clone(c.env), "CALOTYPE_OPS__LISTEN="+ops), more...),
		Ready: func(ctx context.Context, _ *servers.Process) error {
			a, err := asked.Get(ctx, "/readyz")
			if err == nil && a.Status != http.StatusOK {
				err = fmt.Errorf("%s is not ready: %v", name, a)
			}
			return err
		},
	})
}

// taskQueue is where tasks of the usual class wait.
const taskQueue = "calotype.tasks.normal"

func queue(brokers []string) []string {
	return []string{"CALOTYPE_QUEUE__KIND=rabbitmq", "CALOTYPE_QUEUE__RABBITMQ__URLS=" + strings.Join(brokers, ",")}
}

func store(database, password, webhookSecret string) []string {
	return []string{
		"CALOTYPE_IMAGE__STORE=postgres", "CALOTYPE_IMAGE__POSTGRES__URL=" + database, "CALOTYPE_IMAGE__POSTGRES__PASSWORD=" + password,
		"CALOTYPE_IMAGE__WEBHOOKS__SECRETS=" + webhookSecret, "CALOTYPE_IMAGE__WEBHOOKS__ALLOW=127.0.0.0/8",
	}
}

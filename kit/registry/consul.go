package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	plugin "github.com/go-micro/plugins/v4/registry/consul"
	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/go-cleanhttp"
	"go-micro.dev/v4/registry"

	"calotype/kit/fault"
	"calotype/kit/internal/pause"
)

// consul is the plugin with what it lacks: it would open a connection for each renewal, keep to the first agent that answered at
// start (and to the last one where the token may not read the operator's view), and wait for a frozen agent for ever.
type consul struct {
	registry.Registry
	api   *api.Client
	addrs []string
}

// Options tells the agents' addresses, which the plugin keeps to itself: nodes register where they are reached from there.
func (c *consul) Options() registry.Options {
	o := c.Registry.Options()
	o.Addrs = c.addrs
	return o
}

func newConsul(cfg Config) (*consul, error) {
	c, err := agents(cfg)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, fmt.Errorf("making Consul's client: %w", err)
	}
	addrs, err := cfg.addresses()
	if err != nil {
		return nil, err
	}
	return &consul{Registry: plugin.NewRegistry(plugin.Config(c)), api: client, addrs: addrs}, nil
}

// Agents makes a client of the Consul agents that cfg names, for what else is kept there, whatever cfg.Kind says: the next agent is
// asked when one does not answer.
func Agents(cfg Config) (*api.Client, error) {
	cfg.Kind = Consul
	if fs := cfg.Validate(); len(fs) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Reason: "BAD_CONFIG", Message: "the registry configuration is wrong", Fields: fs}
	}
	c, err := agents(cfg)
	if err != nil {
		return nil, err
	}
	client, err := api.NewClient(c)
	if err != nil {
		return nil, fmt.Errorf("making Consul's client: %w", err)
	}
	return client, nil
}

func agents(cfg Config) (*api.Config, error) {
	c := api.Config{Datacenter: cfg.Datacenter, Token: cfg.Token.Reveal(), Scheme: "http"}
	transport := cleanhttp.DefaultPooledTransport()
	transport.DialContext = (&net.Dialer{Timeout: time.Second, KeepAlive: 15 * time.Second}).DialContext
	if cfg.TLS.Enabled {
		c.Scheme = "https"
		t, err := api.SetupTLSConfig(&api.TLSConfig{
			Address: cfg.TLS.ServerName, CAFile: cfg.TLS.CAFile, CertFile: cfg.TLS.CertFile, KeyFile: cfg.TLS.KeyFile,
		})
		if err != nil {
			return nil, fmt.Errorf("reading the registry's TLS files: %w", err)
		}
		t.MinVersion = tls.VersionTLS12
		transport.TLSClientConfig = t
	}
	agents, err := cfg.addresses()
	if err != nil {
		return nil, err
	}
	c.Address = agents[0]
	f := &failover{agents: agents, next: transport}
	f.current.Store(rand.Int64N(int64(len(agents)))) // the loss of one agent is then not felt by all processes at once
	c.HttpClient = &http.Client{Transport: f}
	return &c, nil
}

// GetService leaves out versions without a healthy node, which the plugin gives as empty services, and a node's second entry.
func (c *consul) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	services, err := c.Registry.GetService(name, opts...)
	if err != nil {
		return nil, fmt.Errorf("asking Consul for %s: %w", name, err)
	}
	seen := map[string]bool{}
	for _, s := range services {
		s.Nodes = slices.DeleteFunc(s.Nodes, func(n *registry.Node) bool {
			key := n.Id + "@" + n.Address
			twice := seen[key]
			seen[key] = true
			return twice
		})
	}
	services = slices.DeleteFunc(services, func(s *registry.Service) bool { return len(s.Nodes) == 0 })
	if len(services) == 0 {
		return nil, registry.ErrNotFound
	}
	return services, nil
}

// Watch tells of one service's changes by Consul's blocking queries. It asks again a second after a failure.
func (c *consul) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	var o registry.WatchOptions
	for _, opt := range opts {
		opt(&o)
	}
	if o.Service == "" {
		return nil, errors.New("registry: Consul's watch needs the name of a service")
	}
	w := &watcher{consul: c, service: o.Service, results: make(chan *registry.Result)}
	parent := o.Context
	if parent == nil {
		parent = context.Background()
	}
	w.ctx, w.stop = context.WithCancel(parent)
	go w.run()
	return w, nil
}

type watcher struct {
	consul  *consul
	service string
	results chan *registry.Result
	ctx     context.Context
	stop    context.CancelFunc
}

func (w *watcher) Next() (*registry.Result, error) {
	select {
	case r := <-w.results:
		return r, nil
	case <-w.ctx.Done():
		return nil, registry.ErrWatcherStopped
	}
}

func (w *watcher) Stop() { w.stop() }

func (w *watcher) run() {
	var index uint64
	var before []*registry.Service
	for w.ctx.Err() == nil {
		q := (&api.QueryOptions{WaitIndex: index, WaitTime: maxWait, AllowStale: true}).WithContext(w.ctx)
		_, meta, err := w.consul.api.Health().Service(w.service, "", false, q)
		var now []*registry.Service
		if err == nil && meta.LastIndex != index {
			if now, err = w.consul.GetService(w.service); errors.Is(err, registry.ErrNotFound) {
				err = nil
			}
		}
		switch {
		case err != nil:
			index = 0 // after a failure the next answer counts, whatever its index
			pause.For(w.ctx, time.Second)
			continue
		case meta.LastIndex == index:
			pause.For(w.ctx, breath)
			continue
		}
		index = meta.LastIndex
		for _, r := range changes(before, now) {
			select {
			case w.results <- r:
			case <-w.ctx.Done():
				return
			}
		}
		before = now
		pause.For(w.ctx, breath)
	}
}

// breath keeps a service whose nodes change all the time, or a proxy that does not block, from being asked all the time.
const breath = 50 * time.Millisecond

// changes tells the way from one list to the next: nodes that went, then every version as it now is.
func changes(before, now []*registry.Service) []*registry.Result {
	var out []*registry.Result
	for _, old := range before {
		i := slices.IndexFunc(now, func(s *registry.Service) bool { return s.Version == old.Version })
		var gone []*registry.Node
		for _, n := range old.Nodes {
			if i < 0 || !slices.ContainsFunc(now[i].Nodes, func(m *registry.Node) bool { return m.Id == n.Id && m.Address == n.Address }) {
				gone = append(gone, n)
			}
		}
		if len(gone) > 0 {
			out = append(out, &registry.Result{Action: "delete", Service: &registry.Service{Name: old.Name, Version: old.Version, Nodes: gone}})
		}
	}
	for _, s := range now {
		action := "create"
		if slices.ContainsFunc(before, func(old *registry.Service) bool { return old.Version == s.Version }) {
			action = "update"
		}
		out = append(out, &registry.Result{Action: action, Service: s})
	}
	return out
}

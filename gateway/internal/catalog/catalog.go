// Package catalog knows which gRPC services there are, under which name of the registry each is found, what its methods are like, and
// which of them strangers may call. It follows the registry, where nodes name their services, and makes no calls but for descriptors.
package catalog

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/registry"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"calotype/kit/rpc"
)

// Registry tells who is there.
type Registry interface {
	ListServices(opts ...registry.ListOption) ([]*registry.Service, error)
	GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error)
}

// Config says what a Catalog follows.
type Config struct {
	Registry Registry
	Opener   Opener // of reflection streams to nodes
	// Known are services of the contract, and the names in the registry that serve them. Nobody else can take them over.
	Known map[string]string
	Rules Rules
	Every time.Duration // how often the registry is asked. Default 2 s
	Log   *slog.Logger
}

// Catalog is safe for concurrent use.
type Catalog struct {
	cfg   Config
	files files
	once  singleflight.Group
	asked atomic.Int64 // when the registry was asked last
	away  atomic.Bool

	mu     sync.Mutex // of what changes now
	nodes  map[string][]*registry.Node
	opaque map[string]bool // methods of services that tell nothing of themselves
	now    atomic.Pointer[snapshot]
}

// snapshot is the services at a time, and the methods of theirs that were looked up.
type snapshot struct {
	services map[string]*entry
	methods  sync.Map // full name to *Method
}

// entry is a service: where it is found, and by how many nodes. Of another version its methods may be others.
type entry struct {
	name, registry, version string
	nodes                   int
}

// New makes a catalog that knows only what it was told. Run follows the registry.
func New(cfg Config) *Catalog {
	if cfg.Every <= 0 {
		cfg.Every = 2 * time.Second
	}
	c := &Catalog{cfg: cfg, files: files{opener: cfg.Opener}, nodes: map[string][]*registry.Node{}, opaque: map[string]bool{}}
	c.publish()
	return c
}

// Run follows the registry until ctx ends. What it said last stays when it does not answer.
func (c *Catalog) Run(ctx context.Context) error {
	t := time.NewTicker(c.cfg.Every)
	defer t.Stop()
	for {
		c.refresh(ctx)
		for _, e := range c.now.Load().services {
			if ctx.Err() == nil && e.nodes > 0 && linked(e.name) == nil && c.cfg.Rules.Service(e.name) {
				_ = c.files.of(ctx, e) // before anybody waits for it
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Services are the names of all services that may be called, sorted.
func (c *Catalog) Services() []string {
	var names []string
	for name := range c.now.Load().services {
		if c.cfg.Rules.Service(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Nodes is how many nodes serve a service, and whether it is one that may be called.
func (c *Catalog) Nodes(service string) (n int, ok bool) {
	e := c.now.Load().services[service]
	if e == nil || !c.cfg.Rules.Service(service) {
		return 0, false
	}
	return e.nodes, true
}

// refresh asks the registry, once for all who want to know.
func (c *Catalog) refresh(ctx context.Context) {
	done := c.once.DoChan("", func() (any, error) {
		err := c.ask(context.WithoutCancel(ctx))
		if away := err != nil; c.away.Swap(away) != away {
			c.cfg.Log.InfoContext(ctx, "following the registry for gRPC", "answers", !away, "error", err)
		}
		c.asked.Store(time.Now().UnixNano())
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (c *Catalog) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	list, err := c.cfg.Registry.ListServices(registry.ListContext(ctx))
	if err != nil {
		return err
	}
	names := make([]string, 0, len(list))
	for _, s := range list {
		names = append(names, s.Name)
	}
	for _, name := range c.cfg.Known {
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	found, failed := make([][]*registry.Node, len(names)), make([]bool, len(names))
	var group errgroup.Group
	group.SetLimit(4)
	for i, name := range names {
		group.Go(func() error {
			services, err := c.cfg.Registry.GetService(name, registry.GetContext(ctx))
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				failed[i] = true
				return err
			}
			for _, s := range services {
				found[i] = append(found[i], s.Nodes...)
			}
			return nil
		})
	}
	err = group.Wait()
	c.mu.Lock()
	nodes := map[string][]*registry.Node{}
	for i, name := range names {
		if nodes[name] = found[i]; failed[i] {
			nodes[name] = c.nodes[name]
		}
	}
	c.nodes = nodes
	c.mu.Unlock()
	c.publish()
	return err
}

// publish makes a snapshot of what is known now, where that is anything new. Services whose nodes have gone stay known.
func (c *Catalog) publish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string]*entry{}
	old := c.now.Load()
	if old != nil {
		for name, e := range old.services {
			next[name] = &entry{name: name, registry: e.registry}
		}
	}
	for name, reg := range c.cfg.Known {
		next[name] = &entry{name: name, registry: reg}
		next[name].count(c.nodes[reg])
	}
	for _, reg := range sorted(c.nodes) {
		for _, name := range announced(c.nodes[reg]) {
			e := next[name]
			if _, known := c.cfg.Known[name]; known || rpc.OwnBusiness(name) || e != nil && e.registry != reg && (e.nodes > 0 || serves(c.nodes[e.registry], name)) {
				continue
			}
			next[name] = &entry{name: name, registry: reg}
			next[name].count(slices.DeleteFunc(slices.Clone(c.nodes[reg]), func(n *registry.Node) bool { return !slices.Contains(rpc.Announced(n.Metadata), name) }))
		}
	}
	if old == nil || !same(old.services, next) {
		c.now.Store(&snapshot{services: next})
	}
}

func (e *entry) count(nodes []*registry.Node) {
	e.nodes = len(nodes)
	var ids []string
	for _, n := range nodes {
		ids = append(ids, n.Id)
	}
	slices.Sort(ids)
	e.version = strings.Join(ids, " ")
}

func announced(nodes []*registry.Node) []string {
	var all []string
	for _, n := range nodes {
		all = append(all, rpc.Announced(n.Metadata)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func serves(nodes []*registry.Node, service string) bool {
	return slices.Contains(announced(nodes), service)
}

func sorted(m map[string][]*registry.Node) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func same(a, b map[string]*entry) bool {
	if len(a) != len(b) {
		return false
	}
	for name, e := range a {
		if o := b[name]; o == nil || *o != *e {
			return false
		}
	}
	return true
}

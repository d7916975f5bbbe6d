package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"go-micro.dev/v4/registry"

	"calotype/kit/internal/pause"
)

// names finds nodes by DNS: each address of a service's host is a node, as those of a headless Service of Kubernetes are its ready Pods.
// Whoever runs the nodes keeps the names, so to register changes nothing.
type names struct {
	hosts    map[string]host
	resolver *net.Resolver
	every    time.Duration // how often a watcher looks
}

type host struct{ protocol, name, port string }

const lookupTimeout = 5 * time.Second

func newNames(cfg Config) (registry.Registry, error) {
	n := &names{hosts: map[string]host{}, resolver: &net.Resolver{}, every: cfg.Interval}
	for _, line := range cfg.Names {
		service, h, err := parseName(line)
		if err != nil {
			return nil, err
		}
		n.hosts[service] = h
	}
	return n, nil
}

// parseName reads service=host:port, or service=http://host:port of one that speaks no gRPC.
func parseName(line string) (service string, h host, err error) {
	service, at, _ := strings.Cut(line, "=")
	h.protocol = "grpc"
	if protocol, rest, ok := strings.Cut(at, "://"); ok {
		h.protocol, at = protocol, rest
	}
	h.name, h.port, err = net.SplitHostPort(at)
	if err != nil || service == "" || h.name == "" || h.port == "" || h.protocol == "" {
		return "", host{}, fmt.Errorf("%q is not service=host:port", line)
	}
	return service, h, nil
}

func (n *names) String() string                                                   { return DNS }
func (n *names) Options() registry.Options                                        { return registry.Options{} }
func (n *names) Init(...registry.Option) error                                    { return nil }
func (n *names) Register(*registry.Service, ...registry.RegisterOption) error     { return nil }
func (n *names) Deregister(*registry.Service, ...registry.DeregisterOption) error { return nil }
func (n *names) services() []string                                               { return slices.Sorted(maps.Keys(n.hosts)) }

// GetService asks for the addresses of the service's host. A name that there is not, or is not yet, means no nodes.
func (n *names) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	var o registry.GetOptions
	for _, opt := range opts {
		opt(&o)
	}
	h, ok := n.hosts[name]
	if !ok {
		return nil, registry.ErrNotFound
	}
	ctx, cancel := context.WithTimeout(or(o.Context), lookupTimeout)
	defer cancel()
	addresses, err := n.resolver.LookupHost(ctx, h.name)
	var said *net.DNSError
	switch {
	case errors.As(err, &said) && said.IsNotFound:
		return nil, registry.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("asking DNS for %s: %w", name, err)
	}
	slices.Sort(addresses)
	s := &registry.Service{Name: name}
	for _, a := range slices.Compact(addresses) {
		s.Nodes = append(s.Nodes, &registry.Node{
			Id: name + "-" + a, Address: net.JoinHostPort(a, h.port),
			Metadata: map[string]string{"protocol": h.protocol, "registry": DNS},
		})
	}
	return []*registry.Service{s}, nil
}

// ListServices gives those of the configured services that have nodes.
func (n *names) ListServices(opts ...registry.ListOption) ([]*registry.Service, error) {
	var o registry.ListOptions
	for _, opt := range opts {
		opt(&o)
	}
	var found []*registry.Service
	for _, name := range n.services() {
		s, err := n.GetService(name, registry.GetContext(or(o.Context)))
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return nil, err
		}
		found = append(found, s...)
	}
	return found, nil
}

// Watch looks again and again: DNS tells nobody.
func (n *names) Watch(opts ...registry.WatchOption) (registry.Watcher, error) {
	var o registry.WatchOptions
	for _, opt := range opts {
		opt(&o)
	}
	w := &namesWatcher{names: n, services: n.services(), known: map[string]string{}}
	if o.Service != "" {
		w.services = []string{o.Service}
	}
	w.ctx, w.stop = context.WithCancel(or(o.Context))
	return w, nil
}

type namesWatcher struct {
	names    *names
	services []string
	known    map[string]string // the addresses that were told
	looked   bool
	ctx      context.Context
	stop     context.CancelFunc
}

func (w *namesWatcher) Stop() { w.stop() }

// Next returns when a service's addresses are others than those that were told. One that cannot be asked for is as it was.
func (w *namesWatcher) Next() (*registry.Result, error) {
	for ; ; w.looked = true {
		if w.looked && !pause.For(w.ctx, w.names.every) {
			return nil, registry.ErrWatcherStopped
		}
		for _, name := range w.services {
			found, err := w.names.GetService(name, registry.GetContext(w.ctx))
			if err != nil && !errors.Is(err, registry.ErrNotFound) {
				continue
			}
			now := &registry.Service{Name: name}
			if len(found) > 0 {
				now = found[0]
			}
			var addresses []string
			for _, node := range now.Nodes {
				addresses = append(addresses, node.Address)
			}
			if all := strings.Join(addresses, " "); all != w.known[name] {
				w.known[name] = all
				return &registry.Result{Action: "update", Service: now}, nil
			}
		}
		if w.ctx.Err() != nil {
			return nil, registry.ErrWatcherStopped
		}
	}
}

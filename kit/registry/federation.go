package registry

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/consul/api"
	"go-micro.dev/v4/registry"

	"calotype/kit/registry/follow"
)

// federation is a Consul whose servers know those of other datacenters. Nodes register in their own; the others are asked by way of
// the same agents.
type federation struct {
	*consul
	views []*datacenter // one's own first
}

func newFederation(cfg Config) (registry.Registry, error) {
	f := &federation{}
	for order, name := range append([]string{cfg.Datacenter}, cfg.Datacenters...) {
		cfg.Datacenter = name
		c, err := newConsul(cfg) // each by itself: an agent that cannot reach a datacenter may be the right one for another
		if err != nil {
			return nil, err
		}
		f.views = append(f.views, &datacenter{consul: c, place: follow.Place{Datacenter: name, Order: order}})
	}
	f.consul = f.views[0].consul
	return f, nil
}

// Datacenters are for whoever follows a service, and wants to know what each of them says.
func (f *federation) Datacenters() []follow.Datacenter {
	var out []follow.Datacenter
	for _, d := range f.views {
		out = append(out, follow.Datacenter{Name: d.name(), Registry: d})
	}
	return out
}

// GetService gives the nodes of the first datacenter that has any.
func (f *federation) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	var away []error
	for i, d := range f.views {
		services, err := d.GetService(name, opts...)
		switch {
		case err == nil:
			return services, nil
		case i == 0 && !errors.Is(err, registry.ErrNotFound): // the agents do not answer
			return nil, err
		case !errors.Is(err, registry.ErrNotFound):
			away = append(away, err)
		}
	}
	if len(away) > 0 {
		return nil, errors.Join(away...)
	}
	return nil, registry.ErrNotFound
}

// ListServices gives what is known in any datacenter that answers.
func (f *federation) ListServices(opts ...registry.ListOption) ([]*registry.Service, error) {
	lists, errs := make([][]*registry.Service, len(f.views)), make([]error, len(f.views))
	var all sync.WaitGroup
	for i, d := range f.views {
		all.Go(func() { lists[i], errs[i] = d.ListServices(opts...) })
	}
	all.Wait()
	if errs[0] != nil {
		return nil, fmt.Errorf("asking Consul for all services: %w", errs[0])
	}
	known := map[string]bool{}
	return slices.DeleteFunc(slices.Concat(lists...), func(s *registry.Service) bool {
		twice := known[s.Name]
		known[s.Name] = true
		return twice
	}), nil
}

// datacenter marks the nodes with where they are.
type datacenter struct {
	*consul

	mu    sync.Mutex
	place follow.Place
}

func (d *datacenter) name() string { return d.at().Datacenter }

func (d *datacenter) at() follow.Place {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.place
}

// GetService gives the datacenter's nodes.
func (d *datacenter) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	services, err := d.consul.GetService(name, opts...)
	if err != nil {
		return nil, err
	}
	if err := d.learn(name); err != nil {
		return nil, err
	}
	d.at().Mark(services)
	return services, nil
}

// learn finds out what one's own datacenter is called, where nobody said it: from the nodes, since that takes no more rights than to find them.
func (d *datacenter) learn(service string) error {
	if d.name() != "" {
		return nil
	}
	entries, _, err := d.api.Health().Service(service, "", false, &api.QueryOptions{AllowStale: true})
	if err != nil {
		return fmt.Errorf("asking Consul for the datacenter: %w", err)
	}
	if len(entries) == 0 { // they have gone just now
		return registry.ErrNotFound
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.place.Datacenter = entries[0].Node.Datacenter
	return nil
}

package cluster

import (
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"

	"go-micro.dev/v4/registry"

	"calotype/kit/registry/follow"
)

// view is the nodes as calls see them. Calls go to one datacenter: the first in which a node can be called.
type view struct {
	all   []*Node // those of one's own datacenter first
	use   []*Node // those of the datacenter that calls go to
	above []*Node // of the datacenters that are preferred to it
}

// arrange makes the view of nodes, sorted by datacenter, as they are now. It is called with mu held, whenever anything has changed.
func (c *Cluster) arrange(nodes []*Node) {
	was, v := c.view.Load(), &view{all: nodes, use: nodes}
	if len(nodes) > 0 && nodes[0].place != nodes[len(nodes)-1].place {
		from, to := c.reach(nodes)
		v.above, v.use = nodes[:from], nodes[from:to]
	}
	c.view.Store(v)
	if len(v.use) == 0 || v.use[0].place.Order == c.order {
		return
	}
	to := v.use[0].place
	log := c.cfg.Log.With(slog.String("service", c.cfg.Service), slog.String("datacenter", to.Datacenter))
	if len(was.use) > 0 {
		log = log.With(slog.String("before", was.use[0].place.Datacenter))
	}
	c.order = to.Order
	c.event(Elsewhere)
	if to.Order == 0 {
		log.Info("calls go to their own datacenter again")
		return
	}
	log.Warn("calls go to another datacenter")
}

// reach finds the first datacenter with the fittest nodes.
func (c *Cluster) reach(nodes []*Node) (from, to int) {
	best := -1
	for i, j := 0, 0; i < len(nodes); i = j {
		fit := 0
		for ; j < len(nodes) && nodes[j].place == nodes[i].place; j++ {
			fit = max(fit, nodes[j].fitness(c.order))
		}
		if fit > best {
			best, from, to = fit, i, j
		}
	}
	return from, to
}

// fitness is highest for a node that can be called. Where calls go now, one that nobody has tried to reach yet counts as such: the first
// call need not go far because a connection there stands a moment earlier.
func (n *Node) fitness(now int) int {
	switch {
	case n.usable(), n.place.Order == now && !n.known.Load():
		return 3
	case n.up.Load() && !n.silent.Load(): // set aside
		return 2
	case n.up.Load():
		return 1
	}
	return 0
}

// nearer gives a node of a preferred datacenter that may be well again: this very call finds out.
func (v *view) nearer(w Want) *Node {
	for _, n := range v.above {
		if n.up.Load() && !n.silent.Load() && !slices.Contains(w.Tried, n) && n.admits(w.Now) {
			return n
		}
	}
	return nil
}

// beyond gives the nearest nodes that can be called and were not tried.
func (v *view) beyond(w Want) (nodes []*Node) {
	for _, n := range v.all {
		switch {
		case !n.usable() || slices.Contains(w.Tried, n):
		case len(nodes) > 0 && nodes[0].place != n.place:
			return nodes
		default:
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// forgotten are the nodes of datacenters of which a list has none, though connections there stand: a registry that lost its memory is
// no proof that nodes died. One that left says so itself.
func (c *Cluster) forgotten(list []*registry.Node) (nodes []*registry.Node) {
	listed, alive := map[follow.Place]bool{}, map[follow.Place]bool{}
	for _, n := range list {
		listed[follow.PlaceOf(n)] = true
	}
	for _, n := range c.known {
		alive[n.place] = alive[n.place] || n.up.Load()
	}
	for _, n := range c.known {
		if alive[n.place] && !listed[n.place] {
			nodes = append(nodes, n.Registry)
		}
	}
	return nodes
}

// InUse are the nodes of the datacenter that calls go to.
func (c *Cluster) InUse() []*Node { return c.view.Load().use }

// counted gives the count of a datacenter's calls; nil where there is but one. It is called with mu held.
func (c *Cluster) counted(datacenter string) *atomic.Uint64 {
	if datacenter == "" {
		return nil
	}
	if c.counts[datacenter] == nil {
		c.counts[datacenter] = new(atomic.Uint64)
	}
	return c.counts[datacenter]
}

// Datacenter is a service in one datacenter.
type Datacenter struct {
	Name           string
	Nodes, Healthy int    // that are known, and that can be called
	InUse          bool   // calls go there
	Calls          uint64 // that went there, each attempt
}

// Datacenters tells of those in which there was a node once; of none where the registry knows of no datacenters.
func (c *Cluster) Datacenters() []Datacenter {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.view.Load()
	var all []Datacenter
	for _, name := range slices.Sorted(maps.Keys(c.counts)) {
		d := Datacenter{Name: name, Calls: c.counts[name].Load(), InUse: len(v.use) > 0 && v.use[0].place.Datacenter == name}
		for _, n := range v.all {
			if n.place.Datacenter == name {
				d.Nodes++
				if n.usable() {
					d.Healthy++
				}
			}
		}
		all = append(all, d)
	}
	return all
}

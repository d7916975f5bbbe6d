package follow

import (
	"strconv"

	"go-micro.dev/v4/registry"
)

// Datacenters is a registry that knows services in several datacenters. Run follows each of them.
type Datacenters interface {
	// Datacenters gives a view of each, whose nodes bear their Place: one's own first, the others in order of preference.
	Datacenters() []Datacenter
}

// Datacenter is a registry as seen from, or of, one datacenter.
type Datacenter struct {
	Name string // as far as it is known: one's own may have none yet
	registry.Registry
}

// Place is where a node is. Its zero value is a node of a registry that knows of no datacenters.
type Place struct {
	Datacenter string
	Order      int // 0 is one's own datacenter; calls prefer the lower
}

// A node carries its place in its metadata: go-micro's nodes have room for nothing else.
const (
	datacenterKey = "datacenter"
	orderKey      = "datacenter-order"
)

// Mark writes the place into nodes that nobody else has yet.
func (p Place) Mark(services []*registry.Service) {
	for _, s := range services {
		for _, n := range s.Nodes {
			if n.Metadata == nil {
				n.Metadata = map[string]string{}
			}
			n.Metadata[datacenterKey], n.Metadata[orderKey] = p.Datacenter, strconv.Itoa(p.Order)
		}
	}
}

// PlaceOf reads a node's place.
func PlaceOf(n *registry.Node) Place {
	order, err := strconv.Atoi(n.Metadata[orderKey])
	if err != nil {
		return Place{}
	}
	return Place{n.Metadata[datacenterKey], order}
}

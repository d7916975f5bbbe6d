package rpc

import (
	"maps"
	"slices"

	"calotype/kit/rpc/internal/cluster"
)

// Datacenter is a service as a client sees it in one datacenter.
type Datacenter struct {
	Service string
	cluster.Datacenter
}

// Datacenters tells of each service that was called where its nodes are, and where calls go. It tells of none where the registry knows of
// no datacenters.
func (c *Client) Datacenters() []Datacenter {
	groups := c.now.Load().groups
	var all []Datacenter
	for _, service := range slices.Sorted(maps.Keys(groups)) {
		for _, d := range groups[service].Datacenters() {
			all = append(all, Datacenter{service, d})
		}
	}
	return all
}

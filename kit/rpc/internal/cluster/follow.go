package cluster

import "calotype/kit/registry/follow"

// follow takes every list that the registry gives. An error changes nothing: the last good list stays.
func (c *Cluster) follow() {
	follow.Run(c.ctx, follow.Config{Registry: c.cfg.Registry, Service: c.cfg.Service, Relist: c.cfg.Relist, Log: c.cfg.Log}, c.set)
}

package registry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go-micro.dev/v4/registry"
)

// Registration keeps a node that is no RPC server in the registry, renewing it every interval; kit/rpc does so for its servers.
type Registration struct {
	cfg      Config
	registry registry.Registry
	service  *registry.Service
	log      *slog.Logger

	asking         chan struct{} // full while the registry is asked
	ended          chan struct{}
	once           sync.Once
	done           chan struct{}
	known, failing bool
}

// Register registers in the background, at once and for as long as it takes, until End.
func Register(r registry.Registry, cfg Config, s *registry.Service, l *slog.Logger) *Registration {
	g := &Registration{cfg: cfg, registry: r, service: s, log: l, asking: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{})}
	first := make(chan struct{})
	go g.run(first)
	select {
	case <-first:
	case <-time.After(answer): // a registry that is away must not keep a service from starting
	}
	return g
}

func (g *Registration) run(first chan struct{}) {
	defer close(g.done)
	known := g.renew()
	close(first)
	for {
		wait := g.cfg.Interval
		if !known {
			wait = min(wait, 500*time.Millisecond)
		}
		select {
		case <-time.After(wait):
			known = g.renew()
		case <-g.ended:
			return
		}
	}
}

func (g *Registration) renew() bool {
	g.asking <- struct{}{}
	defer func() { <-g.asking }()
	select {
	case <-g.ended:
		return false
	default:
	}
	err := g.registry.Register(g.service, registry.RegisterTTL(g.cfg.TTL))
	switch node := g.service.Nodes[0]; {
	case err != nil && !g.failing: // once an outage, not once a try
		g.log.Warn("registering failed; trying again", "service", g.service.Name, "error", err)
	case err == nil && !g.known:
		g.log.Info("registered", "service", g.service.Name, "node", node.Id, "address", node.Address)
	}
	g.known, g.failing = err == nil, err != nil
	return g.known
}

// End deregisters, and waits for it no longer than ctx; it may go through later.
func (g *Registration) End(ctx context.Context) error {
	g.once.Do(func() { close(g.ended) })
	out := make(chan error, 1)
	go func() {
		g.asking <- struct{}{}
		defer func() { <-g.asking }()
		out <- g.registry.Deregister(g.service)
	}()
	select {
	case err := <-out:
		if err != nil {
			return fmt.Errorf("deregistering %s: %w", g.service.Name, err)
		}
		<-g.done
		return nil
	case <-ctx.Done():
		return fmt.Errorf("deregistering %s: %w", g.service.Name, ctx.Err())
	}
}

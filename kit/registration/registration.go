// Package registration keeps one node in a registry for as long as it serves. It knows neither servers nor kinds of registry.
package registration

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/registry"
)

// Config says where and how a node is registered.
type Config struct {
	Registry registry.Registry
	TTL      time.Duration               // how long a node that does not renew is still found
	Interval time.Duration               // how often it renews
	Check    func(context.Context) error // asked before each renewal; an error skips it. Nil: always well
	Address  func() (string, error)      // where the node is now, asked before each renewal: a machine may get another address. Nil: where it was
	Log      *slog.Logger
}

const (
	// patience is how long a service's start waits for the registry.
	patience = 2 * time.Second
	// again is how soon a registry that was away is asked again: the node is missed there.
	again = 500 * time.Millisecond
)

// Registration is a node in the registry. It registers again every interval, which renews the TTL and puts the node back where the
// registry forgot it.
type Registration struct {
	cfg     Config
	id      string
	service *registry.Service // belongs to who asks

	asking  chan struct{} // full while the registry is asked; it may be slow
	failing bool          // the last try did; belongs to who asks
	known   atomic.Bool
	heard   atomic.Pointer[time.Time]
	ended   chan struct{}
	once    sync.Once
	done    chan struct{}
}

// Start registers once before it returns, so that a service that has started can be found, unless the registry is away: then it goes on
// in the background, until End. The service has one node.
func Start(cfg Config, s *registry.Service) *Registration {
	r := &Registration{cfg: cfg, id: s.Nodes[0].Id, service: s, asking: make(chan struct{}, 1), ended: make(chan struct{}), done: make(chan struct{})}
	first := make(chan struct{})
	go r.run(first)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-first:
	case <-timer.C:
		cfg.Log.Warn("the registry is slow to answer; serving without it", slog.String("registry", cfg.Registry.String()))
	}
	return r
}

// Known reports whether the registry knows the node, as far as its last answer told.
func (r *Registration) Known() bool { return r.known.Load() }

// Heard is when the registry last took the node, zero for never.
func (r *Registration) Heard() time.Time {
	if at := r.heard.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (r *Registration) run(first chan<- struct{}) {
	defer close(r.done)
	r.register()
	close(first)
	for {
		wait := r.cfg.Interval
		if !r.known.Load() {
			wait = min(wait, again)
		}
		timer := time.NewTimer(wait)
		select {
		case <-r.ended:
			timer.Stop()
			return
		case <-timer.C:
			r.register()
		}
	}
}

func (r *Registration) register() {
	r.asking <- struct{}{}
	defer func() { <-r.asking }()
	select {
	case <-r.ended:
		return
	default:
	}
	var err error
	if r.cfg.Check != nil {
		err = r.cfg.Check(context.Background())
	}
	if err == nil {
		r.locate()
		asked := time.Now()
		if err = r.cfg.Registry.Register(r.service, registry.RegisterTTL(r.cfg.TTL)); err == nil {
			r.heard.Store(&asked)
		}
	}
	switch node, was := r.service.Nodes[0], r.known.Swap(err == nil); {
	case err != nil && !r.failing: // once an outage, not once a try
		r.cfg.Log.Warn("registering failed; trying again", slog.String("service", r.service.Name), slog.String("error", err.Error()))
	case err == nil && !was:
		r.cfg.Log.Info("registered", slog.String("service", r.service.Name), slog.String("node", node.Id), slog.String("address", node.Address))
	}
	r.failing = err != nil
}

// locate puts the node where it is now. An address that the machine still has is kept, though there may be a better one by now. What
// the registry was given may still be read, so it is not changed.
func (r *Registration) locate() {
	node := *r.service.Nodes[0]
	if r.cfg.Address == nil || here(node.Address) {
		return
	}
	address, err := r.cfg.Address()
	if err != nil || address == node.Address { // without a network there is no address, and nobody to tell
		return
	}
	r.cfg.Log.Warn("the node has another address", slog.String("service", r.service.Name), slog.String("was", node.Address), slog.String("address", address))
	node.Address = address
	s := *r.service
	s.Nodes = []*registry.Node{&node}
	r.service = &s
}

// End takes the node out and keeps it out. It waits for the registry only as long as ctx allows; a registration that is on its way is
// taken back when it arrives.
func (r *Registration) End(ctx context.Context) error {
	r.once.Do(func() { close(r.ended) })
	result := make(chan error, 1)
	go func() {
		r.asking <- struct{}{}
		defer func() { <-r.asking }()
		r.known.Store(false)
		result <- r.cfg.Registry.Deregister(r.service, registry.DeregisterContext(ctx))
	}()
	var err error
	select {
	case err = <-result:
		<-r.done
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("deregistering %s: %w", r.id, err)
	}
	return nil
}

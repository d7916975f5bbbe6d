package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"go-micro.dev/v4/util/addr"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// registration keeps one node in the registry: it registers again every interval, which renews the TTL and puts the node back
// where the registry forgot it.
type registration struct {
	opts    server.Options
	service *registry.Service
	log     *slog.Logger

	mu      sync.Mutex // held while the registry is asked; it may be slow
	failing bool       // the last try did; under mu
	ended   atomic.Bool
	known   atomic.Bool
	stop    chan struct{}
	once    sync.Once
	done    chan struct{}
}

func newRegistration(o server.Options, listen string, endpoints []*registry.Endpoint, log *slog.Logger) (*registration, error) {
	address, err := advertised(o.Advertise, listen)
	if err != nil {
		return nil, err
	}
	md := maps.Clone(o.Metadata)
	if md == nil {
		md = map[string]string{}
	}
	md["protocol"], md["transport"], md["server"] = "grpc", "grpc", "grpc"
	md["registry"], md["version"] = o.Registry.String(), o.Version
	return &registration{
		opts: o,
		log:  log,
		service: &registry.Service{
			Name: o.Name, Version: o.Version, Endpoints: endpoints,
			Nodes: []*registry.Node{{Id: o.Name + "-" + o.Id, Address: address, Metadata: md}},
		},
		stop: make(chan struct{}),
		done: make(chan struct{}),
	}, nil
}

// start registers once before it returns, so that a service that has started can be found, unless the registry is away.
func (r *registration) start() {
	first := make(chan struct{})
	go func() {
		defer close(r.done)
		r.register()
		close(first)
		for {
			// A registry that is away is asked more often: the node is missed there.
			wait := r.opts.RegisterInterval
			if !r.known.Load() {
				wait = min(wait, 500*time.Millisecond)
			}
			timer := time.NewTimer(wait)
			select {
			case <-r.stop:
				timer.Stop()
				return
			case <-timer.C:
				r.register()
			}
		}
	}()
	select {
	case <-first:
	case <-time.After(2 * time.Second):
		r.log.Warn("the registry is slow to answer; serving without it", slog.String("registry", r.opts.Registry.String()))
	}
}

func (r *registration) register() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended.Load() {
		return
	}
	err := r.opts.RegisterCheck(context.Background())
	if err == nil {
		err = r.opts.Registry.Register(r.service, registry.RegisterTTL(r.opts.RegisterTTL))
	}
	switch was := r.known.Swap(err == nil); {
	case err != nil && !r.failing: // once an outage, not once a try
		r.log.Warn("registering failed; trying again", slog.String("service", r.service.Name), slog.String("error", err.Error()))
	case err == nil && !was:
		r.log.Info("registered", slog.String("service", r.service.Name), slog.String("node", r.service.Nodes[0].Id),
			slog.String("address", r.service.Nodes[0].Address))
	}
	r.failing = err != nil
}

// end waits for the registry only as long as ctx allows; a registration that is on its way is taken back when it arrives.
func (r *registration) end(ctx context.Context) error {
	r.ended.Store(true)
	r.once.Do(func() { close(r.stop) })
	result := make(chan error, 1)
	go func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.known.Store(false)
		result <- r.opts.Registry.Deregister(r.service, registry.DeregisterContext(ctx))
	}()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("rpc: deregistering %s: %w", r.service.Nodes[0].Id, err)
		}
		<-r.done
		return nil
	case <-ctx.Done():
		return fmt.Errorf("rpc: deregistering %s: %w", r.service.Nodes[0].Id, ctx.Err())
	}
}

// advertised is where others reach the server: as told, or where it listens, with an address of this machine in the place of
// an unspecified one. A told address without a port takes that of the listener.
func advertised(told, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("rpc: cannot advertise %q: set server.Advertise: %w", listen, err)
	}
	if told != "" {
		h, p, err := net.SplitHostPort(told)
		if err != nil {
			h, p = strings.Trim(told, "[]"), port
		}
		host = h
		if p != "" && p != "0" {
			port = p
		}
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		if host, err = addr.Extract(""); err != nil {
			return "", fmt.Errorf("rpc: cannot find an address to advertise: set server.Advertise: %w", err)
		}
	}
	return net.JoinHostPort(host, port), nil
}

// endpoints are what other go-micro tools list of a service. Messages are named, not spelled out: every watcher of the
// registry is sent all of this on every change.
func endpoints(h server.Handler, sd protoreflect.ServiceDescriptor) []*registry.Endpoint {
	var list []*registry.Endpoint
	for i := range sd.Methods().Len() {
		md := sd.Methods().Get(i)
		e := &registry.Endpoint{
			Name:     h.Name() + "." + string(md.Name()),
			Request:  &registry.Value{Name: string(md.Input().Name()), Type: string(md.Input().Name())},
			Response: &registry.Value{Name: string(md.Output().Name()), Type: string(md.Output().Name())},
			Metadata: map[string]string{"method": "/" + string(sd.FullName()) + "/" + string(md.Name())},
		}
		if md.IsStreamingClient() || md.IsStreamingServer() {
			e.Metadata["stream"] = "true"
		}
		maps.Copy(e.Metadata, h.Options().Metadata[e.Name])
		list = append(list, e)
	}
	return list
}

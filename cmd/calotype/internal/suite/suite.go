package suite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	gateway "calotype/gateway/app"
	"calotype/kit/boot"
	kitregistry "calotype/kit/registry"
	greeter "calotype/services/greeter/app"
	image "calotype/services/image/app"
	worker "calotype/services/image/worker/app"
	storage "calotype/services/storage/app"
)

// Suite is a process that listens and does not yet serve: Run does, until its context ends.
type Suite struct {
	host    *boot.Host
	gateway *gateway.App
	greeter *greeter.App
	image   *image.App
	worker  *worker.App
	storage *storage.App
}

// New opens everything. What is open is closed again when something cannot be.
func New(cfg Config) (_ *Suite, err error) {
	if cfg.Registry.Kind != kitregistry.Memory {
		return nil, fmt.Errorf("one process needs no registry but memory's; registry.kind is %q: run the services one by one to use it", cfg.Registry.Kind)
	}
	host, err := boot.NewHost("calotype", cfg.Config)
	if err != nil {
		return nil, err
	}
	s := &Suite{host: host}
	if err := s.open(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Suite) open(cfg Config) (err error) {
	at := func(nth int) boot.Config {
		c := cfg.Config
		c.RPC.Listen = beside(cfg.RPC.Listen, nth)
		return c
	}
	if s.storage, err = storage.New(storage.Config{Config: at(0), Storage: cfg.Storage}, s.host); err != nil {
		return err
	}
	if s.image, err = image.New(image.Config{Config: at(1), Image: cfg.Image, Queue: cfg.Queue}, s.host); err != nil {
		return err
	}
	if s.worker, err = worker.New(worker.Config{Config: at(2), Worker: cfg.Worker, Queue: cfg.Queue}, s.host, worker.WithQueue(s.image.Queue())); err != nil {
		return err
	}
	if s.greeter, err = greeter.New(greeter.Config{Config: at(3)}, s.host); err != nil {
		return err
	}
	s.gateway, err = gateway.New(gateway.Config{
		Config: cfg.Config, HTTP: cfg.HTTP, Limits: cfg.Limits, Timeouts: cfg.Timeouts, Signing: cfg.Signing, GRPC: cfg.GRPC, Compat: cfg.Compat, Results: cfg.Results,
	}, s.host)
	return err
}

// beside is the nth port from base's on. A port that somebody else has is no reason to stay down: a free one is taken, and told.
func beside(base string, nth int) string {
	host, port, err := net.SplitHostPort(base)
	n, numeric := strconv.Atoi(port)
	if err != nil || numeric != nil || n == 0 {
		return base
	}
	address := net.JoinHostPort(host, strconv.Itoa(n+nth))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return net.JoinHostPort(host, "0")
	}
	_ = l.Close()
	return address
}

// Run serves until ctx ends, then drains: the gateway first, storage last. Whoever calls another leaves before it.
func (s *Suite) Run(ctx context.Context, ready func()) error {
	return boot.RunAll(ctx, s.storage, s.image, s.worker, s.greeter, s.gateway, announcer(ready))
}

// Close lets go of the process's parts, after Run.
func (s *Suite) Close() error { return s.host.Close() }

// announcer is the last to start: when it runs, everything does.
type announcer func()

// Run tells, and waits.
func (a announcer) Run(ctx context.Context) error {
	a()
	<-ctx.Done()
	return nil
}

// Address is one thing that a person can reach.
type Address struct{ What, URL string }

// Addresses lists what can be reached, the console first.
func (s *Suite) Addresses() []Address {
	base := "http://" + reachable(s.gateway.Addr())
	return []Address{
		{"Console", base + "/"},
		{"REST", base + "/v1/images"},
		{"gRPC", reachable(s.gateway.Addr())},
		{"API docs", base + "/docs"},
		{"Health", base + "/readyz"},
		{"Metrics", base + "/metrics"},
		{"gRPC storage", reachable(s.storage.Addr())},
		{"gRPC image", reachable(s.image.Addr())},
		{"gRPC worker", reachable(s.worker.Addr())},
		{"gRPC greeter", reachable(s.greeter.Addr())},
	}
}

// reachable turns an address that is listened on into one that can be opened: every interface includes this machine's own.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

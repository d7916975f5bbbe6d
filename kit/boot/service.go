package boot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go-micro.dev/v4"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"

	"calotype/kit/health"
	"calotype/kit/logging"
	"calotype/kit/metrics"
	"calotype/kit/rpc"
	"calotype/kit/tracing"
	nodev1 "calotype/proto/node/v1"
)

// drainer is a go-micro server that leaves in steps.
type drainer interface {
	server.Server
	Addr() string
	SetServing(bool)
	Deregister(context.Context) error
	Drain(context.Context) error
	Draining() <-chan struct{}
	Running() int          // calls
	Heard() time.Time      // the registry took it last
	Done() <-chan struct{} // closed when it serves no more
	Err() error            // why, once it is Done
}

// Service is one go-micro service of a process, RPC or HTTP.
type Service struct {
	name  string
	host  *Host
	srv   drainer
	micro micro.Service
	gate  *health.Gate
	drain DrainConfig
	parts *components
	ready chan struct{}

	load func() Load // nil: calls are what it has to do

	ctx   context.Context // what go-micro's Run waits on
	leave context.CancelCauseFunc

	once    sync.Once
	stopErr error
}

// ServiceConfig is one service's share of a process's configuration.
type ServiceConfig struct {
	RPC      RPCConfig
	Drain    DrainConfig
	Metadata map[string]string // of the node, in the registry
	Options  []server.Option   // beyond what boot sets
	GRPC     []grpc.ServerOption
}

// Service gives the share of a service that is set by the process's own configuration.
func (c Config) Service() ServiceConfig { return ServiceConfig{RPC: c.RPC, Drain: c.Drain} }

// NewService makes an RPC service and opens its listener. Register is called once, to hand the server its handlers.
func (h *Host) NewService(name string, cfg ServiceConfig, register func(server.Server) error) (*Service, error) {
	encrypted, err := h.serverTLS(cfg.RPC.TLS)
	if err != nil {
		return nil, fmt.Errorf("making the server of %s: %w", name, err)
	}
	shed := cfg.RPC.Shedding
	srv, err := rpc.NewServer(
		rpc.ServerConfig{
			Log:      h.Log,
			TLS:      encrypted,
			Limits:   rpc.Limits{MaxRecv: int(cfg.RPC.MaxMessage)},
			Stop:     cfg.Drain.Timeout,
			Shedding: rpc.Shedding{Off: !shed.Enabled, Min: shed.Min, Max: shed.Max, Streams: shed.Streams},
			Observe:  metrics.Shed(h.Metrics),
			GRPC:     append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(h.idsUnary), grpc.ChainStreamInterceptor(h.idsStream)}, cfg.GRPC...),
		},
		append(h.serverOptions(name, cfg), cfg.Options...)...,
	)
	if err != nil {
		return nil, fmt.Errorf("making the server of %s: %w", name, err)
	}
	if err := register(srv); err != nil {
		return nil, errors.Join(fmt.Errorf("registering the handlers of %s: %w", name, err), srv.Drain(context.Background()))
	}
	about := &nodes{}
	nodev1.RegisterNodesServer(srv.GRPC(), about) // before anything reads the server's list of services
	about.service = h.newService(name, srv, cfg.Drain)
	return about.service, nil
}

func (h *Host) serverOptions(name string, cfg ServiceConfig) []server.Option {
	o := []server.Option{
		server.Name(name), server.Id(h.ID), server.Version(h.Version), server.Address(cfg.RPC.Listen), server.Registry(h.Registry),
		server.RegisterTTL(h.cfg.Registry.TTL), server.RegisterInterval(h.cfg.Registry.Interval), server.Metadata(h.withOps(cfg.Metadata, cfg.RPC.Listen, cfg.RPC.Advertise)),
		server.WrapHandler(metrics.NewHandlerWrapper(h.Metrics)),
		server.WrapHandler(tracing.NewHandlerWrapper(h.Tracer)),
		server.WrapHandler(logging.NewHandlerWrapper(h.Log)),
	}
	if cfg.RPC.Advertise != "" {
		o = append(o, server.Advertise(cfg.RPC.Advertise))
	}
	return o
}

// idsUnary and idsStream stand outside everything else, so that what the server itself logs of a call names its request too.
func (h *Host) idsUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	return next(tracing.Incoming(logging.Incoming(ctx), h.Tracer), req)
}

func (h *Host) idsStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, identified{ss, tracing.Incoming(logging.Incoming(ss.Context()), h.Tracer)})
}

type identified struct {
	grpc.ServerStream
	ctx context.Context
}

func (s identified) Context() context.Context { return s.ctx }

func (h *Host) newService(name string, srv drainer, drain DrainConfig) *Service {
	if drain.Timeout <= 0 {
		drain = h.cfg.Drain
	}
	s := &Service{name: name, host: h, srv: srv, drain: drain, ready: make(chan struct{}), gate: h.Health.Gate(name)}
	s.ctx, s.leave = context.WithCancelCause(context.Background())
	s.parts = newComponents(s.leave)
	// Init is never called: it would parse the command line and put its own times in the place of ours. Options that would
	// reach into the client's and the server's are left out for the same reason: both were made complete.
	s.micro = micro.NewService(
		micro.Server(stopping{srv, s}),
		micro.Client(h.Client()),
		func(o *micro.Options) { o.Registry = h.Registry },
		micro.Logger(logging.Micro(h.Log)),
		micro.HandleSignal(false),
		micro.Context(s.ctx),
		micro.AfterStart(s.started),
	)
	h.Health.OnChange(func() { srv.SetServing(s.gate.Ready()) })
	return s
}

// stopping is the server with a Stop that leaves in order: go-micro's life cycle calls it.
type stopping struct {
	drainer
	service *Service
}

func (s stopping) Stop() error { return s.service.stop() }

// Name is the service's name in the registry.
func (s *Service) Name() string { return s.name }

// Addr is where the service listens.
func (s *Service) Addr() string { return s.srv.Addr() }

// Micro is the go-micro service underneath.
func (s *Service) Micro() micro.Service { return s.micro }

// Ready is closed once the service serves, is registered and its components run.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// Draining is closed when running calls are asked to end: endless streams end themselves then.
func (s *Service) Draining() <-chan struct{} { return s.srv.Draining() }

// Go adds a component that runs in the background from ready on. Its context ends when the drain begins: it takes no new work then,
// finishes what it has under Work(ctx), and returns. One that returns an error before takes the service down. Call it before Run.
func (s *Service) Go(name string, f func(ctx context.Context) error) { s.parts.add(name, f) }

// Run serves until ctx ends or something fails, then leaves in order. It is called once.
func (s *Service) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.leave(nil) })()
	s.host.Live.Start() // with what is in force elsewhere, before anybody calls
	err := s.micro.Run()
	select {
	case <-s.ready:
	default: // it never started; what it opened is closed
		err = errors.Join(err, s.stop())
	}
	if cause := context.Cause(s.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

func (s *Service) started() error {
	go func() {
		<-s.srv.Done()
		if err := s.srv.Err(); err != nil {
			s.leave(err)
		}
	}()
	s.parts.start()
	s.gate.Set(true)
	close(s.ready)
	s.host.Log.Info("serving", "service", s.name, "address", s.Addr())
	return nil
}

// stop is invariant 5: readiness off, deregister, let the news travel, finish what runs, stop.
func (s *Service) stop() error {
	s.once.Do(func() { s.stopErr = s.leaveInOrder() })
	return s.stopErr
}

func (s *Service) leaveInOrder() error {
	start, l := time.Now(), s.host.Log.With("service", s.name)
	s.gate.Set(false)
	l.Info("draining")
	var errs []error
	away, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	if err := s.srv.Deregister(away); err != nil {
		// The registry's own outage must not fail an orderly stop: the registration runs out by its TTL.
		l.Warn("could not deregister", "error", err)
	}
	cancel()
	if s.isReady() {
		// Not interrupted by anything: a second signal ends the process itself.
		time.Sleep(s.host.wait(s.drain))
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.drain.Timeout)
	defer cancel()
	stopped := s.parts.stop(ctx)
	if err := s.srv.Drain(ctx); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, stopped()...)
	l.Info("drained", "took", time.Since(start).Round(time.Millisecond))
	return errors.Join(errs...)
}

func (s *Service) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

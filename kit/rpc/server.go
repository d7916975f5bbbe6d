package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"calotype/kit/registration"
)

// Server is a go-micro server.Server over an ordinary *grpc.Server. Options, handlers and wrappers are set before Start and
// fixed by it. It is registered from Start until Deregister, and answers until Drain or Stop.
type Server struct {
	cfg    ServerConfig
	log    *slog.Logger
	lis    net.Listener
	grpc   *grpc.Server
	health *health.Server

	mu       sync.Mutex
	opts     server.Options
	started  bool
	wrappers []server.HandlerWrapper // fixed by Start, read without the lock
	name     string                  // likewise

	endpoints []*registry.Endpoint
	internal  []string // services that the registry is not told of
	reg       *registration.Registration
	shedder   *shedder // nil: everything is admitted
	running   atomic.Int64
	draining  context.Context
	drain     context.CancelFunc
	served    chan struct{}
	serveErr  error
}

var _ server.Server = (*Server)(nil)

// NewServer makes a server that listens, so that its address is known, and serves nothing before Start. Options are
// go-micro's: Name, Id, Version, Registry, Advertise, Metadata, RegisterTTL (default 8 s), RegisterInterval (2.5 s),
// RegisterCheck, WrapHandler. Broker, transport, codecs and subscribers have no meaning here.
func NewServer(cfg ServerConfig, opts ...server.Option) (*Server, error) {
	cfg = cfg.withDefaults()
	o := server.NewOptions(append([]server.Option{
		server.Id(uuid.NewString()), server.RegisterTTL(8 * time.Second), server.RegisterInterval(2500 * time.Millisecond),
	}, opts...)...)
	s := &Server{cfg: cfg, log: cfg.Log, shedder: newShedder(cfg.Shedding), opts: o, lis: cfg.Listener, health: health.NewServer(), served: make(chan struct{})}
	if s.lis == nil {
		lis, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.Address)
		if err != nil {
			return nil, fmt.Errorf("rpc: %s cannot listen: %w", o.Name, err)
		}
		s.lis = lis
	}
	s.opts.Address = s.lis.Addr().String()
	s.draining, s.drain = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(append(cfg.grpcOptions(), grpc.ChainUnaryInterceptor(s.guardUnary), grpc.ChainStreamInterceptor(s.guardStream))...)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.SetServing(false)
	return s, nil
}

// GRPC is the server underneath, for services that are registered natively; they pass the guard against panics and the mapping
// of errors, but not go-micro's wrappers.
func (s *Server) GRPC() *grpc.Server { return s.grpc }

// Addr is the address served.
func (s *Server) Addr() string { return s.lis.Addr().String() }

// Init adds options; after Start it is refused.
func (s *Server) Init(opts ...server.Option) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return errors.New("rpc: the server has started; its options are fixed")
	}
	for _, o := range opts {
		o(&s.opts)
	}
	s.opts.Address = s.lis.Addr().String()
	return nil
}

// Options gives a copy of the options.
func (s *Server) Options() server.Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opts
}

// NewHandler wraps what RegisterXHandler of protoc-gen-micro made, or any struct with methods of that shape.
func (s *Server) NewHandler(h any, opts ...server.HandlerOption) server.Handler {
	return server.NewRpcHandler(h, opts...)
}

// Handle registers a handler under the full name of the proto service that it implements; ServiceName says which, where more
// than one would fit.
func (s *Server) Handle(h server.Handler) error {
	sd, err := describe(h)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return fmt.Errorf("rpc: the server has started; %s comes too late", sd.FullName())
	}
	if _, twice := s.grpc.GetServiceInfo()[string(sd.FullName())]; twice {
		return fmt.Errorf("rpc: %s is registered already", sd.FullName())
	}
	s.grpc.RegisterService(s.serviceDesc(h, sd), h.Handler())
	s.health.SetServingStatus(string(sd.FullName()), healthpb.HealthCheckResponse_NOT_SERVING)
	if h.Options().Internal {
		s.internal = append(s.internal, string(sd.FullName()))
	} else {
		s.endpoints = append(s.endpoints, endpoints(h, sd)...)
	}
	return nil
}

// NewSubscriber panics as go-micro gives it no way to fail: there is no broker here.
func (s *Server) NewSubscriber(topic string, h any, opts ...server.SubscriberOption) server.Subscriber {
	panic("rpc: no broker: cannot subscribe to " + topic)
}

// Subscribe fails: there is no broker here.
func (s *Server) Subscribe(server.Subscriber) error { return errNoBroker }

// String names the implementation.
func (s *Server) String() string { return "grpc" }

// SetServing sets what grpc.health.v1 tells of the server and of each of its services. Start sets true.
func (s *Server) SetServing(ok bool) {
	state := healthpb.HealthCheckResponse_NOT_SERVING
	if ok {
		state = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus("", state)
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, state)
	}
}

var errNoBroker = errors.New("rpc: there is no broker; messages go through a queue of the service's own")

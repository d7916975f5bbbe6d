package boot

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"

	"calotype/kit/logging"
	"calotype/kit/metrics"
	"calotype/kit/registration"
	kitregistry "calotype/kit/registry"
	"calotype/kit/tracing"
	nodev1 "calotype/proto/node/v1"
)

// HTTPConfig is what an HTTP service is made of.
type HTTPConfig struct {
	Listen    string
	Advertise string // as RPCConfig.Advertise
	Drain     DrainConfig
	TLS       *tls.Config                // nil: clear text, HTTP/1 and HTTP/2 with prior knowledge
	Route     func(*http.Request) string // names a request's route in traces and metrics; nil: ServeMux's pattern
	Metadata  map[string]string
	Configure func(*http.Server) // the last word on the server
}

// NewHTTPService makes a service of an HTTP handler: registered, drained and observed as an RPC service is. The handler gets
// requests with an id and a trace.
func (h *Host) NewHTTPService(name string, cfg HTTPConfig, handler http.Handler) (*Service, error) {
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", name, err)
	}
	handler = metrics.HTTP(h.Metrics, cfg.Route, handler)
	handler = logging.HTTP(handler)
	handler = tracing.HTTP(h.Tracer, cfg.Route, handler)
	s := &httpServer{
		listener: l, advertise: cfg.Advertise, cfg: h.cfg.Registry, log: h.Log, done: make(chan struct{}),
		http: &http.Server{
			TLSConfig:         cfg.TLS,
			ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
			ErrorLog:  slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
			Protocols: new(http.Protocols),
		},
		opts: server.NewOptions(server.Name(name), server.Id(h.ID), server.Version(h.Version), server.Registry(h.Registry),
			server.Address(l.Addr().String()), server.Metadata(h.withOps(cfg.Metadata, cfg.Listen, cfg.Advertise))),
	}
	status := grpc.NewServer()
	s.http.Handler = s.partings(handler, status)
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetHTTP2(true)
	s.http.Protocols.SetUnencryptedHTTP2(cfg.TLS == nil)
	s.draining, s.drain = context.WithCancel(context.Background())
	if cfg.Configure != nil {
		cfg.Configure(s.http)
	}
	service := h.newService(name, s, cfg.Drain)
	nodev1.RegisterNodesServer(status, &nodes{service: service})
	return service, nil
}

// httpServer is a go-micro server over net/http. It has no handlers in go-micro's sense: routes are the http.Handler's.
type httpServer struct {
	listener  net.Listener
	http      *http.Server
	advertise string
	cfg       kitregistry.Config
	log       *slog.Logger
	opts      server.Options

	leaving  atomic.Bool
	running  atomic.Int64
	mu       sync.Mutex
	reg      *registration.Registration
	started  bool
	draining context.Context
	drain    context.CancelFunc
	done     chan struct{}
	err      error
}

// partings makes each answer of a server that leaves the last one of its connection. Closing idle connections at once instead would
// meet requests that are on their way. Requests for the node's status are no part of what it has to do.
func (s *httpServer) partings(next, status http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.leaving.Load() {
			w.Header().Set("Connection", "close") // net/http makes a GOAWAY of it for HTTP/2
		}
		// What came through a proxy came from outside, which is not told.
		if r.URL.Path == nodev1.Nodes_Status_FullMethodName && r.Header.Get("X-Forwarded-For") == "" {
			status.ServeHTTP(w, r)
			return
		}
		s.running.Add(1)
		defer s.running.Add(-1)
		next.ServeHTTP(w, r)
	})
}

var errHTTP = errors.New("boot: an HTTP service has routes, not RPC handlers")

func (s *httpServer) Init(opts ...server.Option) error {
	for _, o := range opts {
		o(&s.opts)
	}
	return nil
}

func (s *httpServer) Options() server.Options     { return s.opts }
func (s *httpServer) Handle(server.Handler) error { return errHTTP }
func (s *httpServer) NewHandler(h any, opts ...server.HandlerOption) server.Handler {
	return server.NewRpcHandler(h, opts...)
}
func (s *httpServer) NewSubscriber(string, any, ...server.SubscriberOption) server.Subscriber {
	return nil
}
func (s *httpServer) Subscribe(server.Subscriber) error { return errHTTP }
func (s *httpServer) String() string                    { return "http" }

func (s *httpServer) Addr() string              { return s.listener.Addr().String() }
func (s *httpServer) SetServing(bool)           {} // /readyz tells
func (s *httpServer) Draining() <-chan struct{} { return s.draining.Done() }
func (s *httpServer) Running() int              { return int(s.running.Load()) }
func (s *httpServer) Done() <-chan struct{}     { return s.done }
func (s *httpServer) Err() error                { return s.err }

func (s *httpServer) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	locate := func() (string, error) { return registration.Address(s.advertise, s.Addr(), s.opts.Registry) }
	address, err := locate()
	if err != nil {
		return err
	}
	s.started = true
	scheme, serve := "http", func() error { return s.http.Serve(s.listener) }
	if s.http.TLSConfig != nil { // asked before serving, which sets one of its own
		scheme, serve = "https", func() error { return s.http.ServeTLS(s.listener, "", "") }
	}
	go func() {
		defer close(s.done)
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("serving HTTP: %w", err)
		}
	}()
	md := maps.Clone(s.opts.Metadata)
	if md == nil {
		md = map[string]string{}
	}
	md["protocol"], md["server"], md["version"], md["registry"] = scheme, "http", s.opts.Version, s.opts.Registry.String()
	cfg := registration.Config{Registry: s.opts.Registry, TTL: s.cfg.TTL, Interval: s.cfg.Interval, Address: locate, Log: s.log}
	s.reg = registration.Start(cfg, &registry.Service{
		Name: s.opts.Name, Version: s.opts.Version,
		Nodes: []*registry.Node{{Id: s.opts.Name + "-" + s.opts.Id, Address: address, Metadata: md}},
	})
	return nil
}

func (s *httpServer) Heard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reg == nil {
		return time.Time{}
	}
	return s.reg.Heard()
}

func (s *httpServer) Deregister(ctx context.Context) error {
	s.leaving.Store(true)
	s.mu.Lock()
	reg := s.reg
	s.mu.Unlock()
	if reg == nil {
		return nil
	}
	return reg.End(ctx)
}

func (s *httpServer) Drain(ctx context.Context) error {
	s.drain()
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started {
		return s.listener.Close()
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("requests were cut off: %w", errors.Join(err, s.http.Close()))
	}
	<-s.done
	return err
}

// Stop is what go-micro calls; Service puts its own in its place.
func (s *httpServer) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(s.Deregister(ctx), s.Drain(ctx))
}

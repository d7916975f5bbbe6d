package boot

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"calotype/kit/fault"
	kitregistry "calotype/kit/registry"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
)

const patience = 10 * time.Second

func newHost(t *testing.T, change ...func(*Config)) *Host {
	t.Helper()
	cfg := DefaultConfig()
	cfg.RPC.Listen = "127.0.0.1:0"
	cfg.Log.Level = "error"
	cfg.Drain.Timeout = patience
	for _, c := range change {
		c(&cfg)
	}
	h, err := NewHost("boot-test", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// slow answers Hello once it is let.
type slow struct {
	greeterv1.GreeterHandler
	began chan struct{}
	let   chan struct{}
}

func newSlow() *slow { return &slow{began: make(chan struct{}, 100), let: make(chan struct{})} }

func (s *slow) Hello(ctx context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	if in.Name == "quick" {
		return nil
	}
	s.began <- struct{}{}
	select {
	case <-s.let:
		out.Message = "finished"
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newGreeter(t *testing.T, h *Host, g greeterv1.GreeterHandler) *Service {
	t.Helper()
	s, err := h.NewService("greeter", h.cfg.Service(), func(srv server.Server) error { return greeterv1.RegisterGreeterHandler(srv, g) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run starts a service, waits until it is ready, and gives what tells it to leave and what gives its outcome.
func run(t *testing.T, s *Service) (leave func(), ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out := make(chan error, 1)
	go func() { out <- s.Run(ctx) }()
	t.Cleanup(cancel)
	wait(t, s.Ready(), "the service to be ready")
	return cancel, out
}

func wait[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	late := time.After(patience)
	for tick := time.NewTicker(time.Millisecond); !met(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// diary notes what happens, in order.
type diary struct {
	mu    sync.Mutex
	notes []string
}

func (d *diary) note(s string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, s)
}

func (d *diary) index(s string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Index(d.notes, s)
}

type observed struct {
	registry.Registry
	diary *diary
}

func (o observed) Register(s *registry.Service, opts ...registry.RegisterOption) error {
	o.diary.note("registered")
	return o.Registry.Register(s, opts...)
}

func (o observed) Deregister(s *registry.Service, opts ...registry.DeregisterOption) error {
	o.diary.note("deregistered")
	return o.Registry.Deregister(s, opts...)
}

// Invariant 5: readiness off, deregister, wait for the news to travel while still answering, finish what runs, stop.
func TestLeavingIsOrderly(t *testing.T) {
	h := newHost(t, func(c *Config) { c.Drain.Wait = 300 * time.Millisecond })
	h.cfg.Registry.Kind = kitregistry.Consul // as for the pause: news takes its time
	var d diary
	h.Registry = observed{h.Registry, &d}
	g := newSlow()
	s := newGreeter(t, h, g)
	var was bool
	h.Health.OnChange(func() {
		if ready := h.Health.Ready(); ready != was {
			was = ready
			d.note(map[bool]string{true: "ready", false: "not ready"}[ready])
		}
	})
	s.Go("consumer", func(ctx context.Context) error {
		d.note("consumer began")
		<-ctx.Done()
		d.note("consumer told")
		if Work(ctx).Err() != nil {
			t.Error("what a component has begun is cut at once")
		}
		d.note("consumer ended")
		return nil
	})
	leave, ended := run(t, s)
	if _, err := greeterv1.NewGreeterService("greeter", h.Client()).Hello(within(t), &greeterv1.HelloRequest{Name: "quick"}); err != nil {
		t.Fatalf("found by the registry: %v", err)
	}
	conn, err := grpc.NewClient(s.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := greeterv1.NewGreeterClient(conn)
	running := make(chan error, 1)
	go func() {
		out, err := c.Hello(within(t), &greeterv1.HelloRequest{})
		if err == nil && out.Message != "finished" {
			err = errors.New(out.Message)
		}
		running <- err
	}()
	wait(t, g.began, "the call to begin")
	hc := healthpb.NewHealthClient(conn)
	healthy := func() healthpb.HealthCheckResponse_ServingStatus {
		r, err := hc.Check(within(t), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetStatus()
	}
	if healthy() != healthpb.HealthCheckResponse_SERVING {
		t.Error("it is not serving while it serves")
	}
	leave()
	until(t, "it to deregister", func() bool { return d.index("deregistered") >= 0 })
	// In the pause it still answers, and says that it is leaving.
	if healthy() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Error("it is still serving while it leaves")
	}
	if _, err := c.Hello(within(t), &greeterv1.HelloRequest{Name: "quick"}); err != nil {
		t.Errorf("a call of somebody who has not heard yet: %v", err)
	}
	wait(t, s.Draining(), "the drain to begin")
	select {
	case err := <-ended:
		t.Fatalf("it ended with a call running: %v", err)
	default:
	}
	close(g.let)
	if err := wait(t, running, "the running call"); err != nil {
		t.Errorf("the running call: %v", err)
	}
	if err := wait(t, ended, "the end"); err != nil {
		t.Error(err)
	}
	want := []string{"registered", "consumer began", "ready", "not ready", "deregistered", "consumer told", "consumer ended"}
	d.notes = slices.Compact(d.notes)
	if a, b := slices.Index(d.notes, "consumer began"), slices.Index(d.notes, "ready"); a > b { // either may come first
		d.notes[a], d.notes[b] = d.notes[b], d.notes[a]
	}
	if !slices.Equal(d.notes, want) {
		t.Errorf("got  %v\nwant %v", d.notes, want)
	}
	if _, err := c.Hello(within(t), &greeterv1.HelloRequest{Name: "quick"}); status.Code(err) != codes.Unavailable {
		t.Errorf("a call after the end: %v", err)
	}
}

func TestADrainHasADeadline(t *testing.T) {
	h := newHost(t, func(c *Config) { c.Drain.Timeout = 100 * time.Millisecond })
	g := newSlow()
	s := newGreeter(t, h, g)
	var cut bool
	s.Go("stubborn", func(ctx context.Context) error {
		<-ctx.Done()
		<-Work(ctx).Done()
		cut = true
		return nil
	})
	s.Go("deaf", func(context.Context) error { <-g.let; return nil })
	leave, ended := run(t, s)
	t.Cleanup(func() { close(g.let) })
	call := make(chan error, 1)
	go func() {
		_, err := greeterv1.NewGreeterService("greeter", h.Client()).Hello(within(t), &greeterv1.HelloRequest{}, client.WithRetries(0))
		call <- err
	}()
	wait(t, g.began, "the call to begin")
	leave()
	err := wait(t, ended, "the end")
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 calls were cut off") || !strings.Contains(err.Error(), "deaf did not end in time") {
		t.Errorf("it ended with %v", err)
	}
	if err := wait(t, call, "the call"); err == nil {
		t.Error("a call that was cut off succeeded")
	}
	for _, p := range s.parts.parts {
		if p.name == "stubborn" {
			wait(t, p.done, "the stubborn component")
		}
	}
	if !cut {
		t.Error("work outlived the drain")
	}
}

func TestAComponentThatFailsTakesTheServiceDown(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(context.Context) error
		want string
	}{
		"an error": {func(context.Context) error { return errors.New("the queue is gone") }, "greeter: consumer: the queue is gone"},
		"a panic":  {func(context.Context) error { panic("oops") }, "consumer panicked: oops"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			s := newGreeter(t, h, newSlow())
			s.Go("consumer", c.f)
			_, ended := run(t, s)
			if err := wait(t, ended, "the end"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it ended with %v", err)
			}
			if _, err := h.Registry.GetService("greeter"); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("it is still registered: %v", err)
			}
		})
	}
}

func TestAComponentMayEndByItself(t *testing.T) {
	s := newGreeter(t, newHost(t), newSlow())
	done := make(chan struct{})
	s.Go("once", func(context.Context) error { close(done); return nil })
	leave, ended := run(t, s)
	wait(t, done, "the component")
	select {
	case err := <-ended:
		t.Fatalf("the service ended with its component: %v", err)
	default:
	}
	leave()
	if err := wait(t, ended, "the end"); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBegin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := newHost(t)
	cfg := h.cfg.Service()
	cfg.RPC.Listen = l.Addr().String()
	if _, err := h.NewService("greeter", cfg, func(server.Server) error { return nil }); err == nil {
		t.Error("a port that is taken was taken again")
	}
	if _, err := h.NewHTTPService("gateway", HTTPConfig{Listen: l.Addr().String()}, nil); err == nil {
		t.Error("a port that is taken was taken again by HTTP")
	}
	if _, err := h.NewService("greeter", h.cfg.Service(), func(server.Server) error { return io.ErrUnexpectedEOF }); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("handlers that fail to register: %v", err)
	}
	bad := DefaultConfig()
	bad.Ops.Listen = l.Addr().String()
	if _, err := NewHost("x", bad); err == nil {
		t.Error("a port that is taken was taken again for operations")
	}
	bad = DefaultConfig()
	bad.Registry.Kind = "zookeeper"
	if _, err := NewHost("x", bad); fault.ReasonOf(err) != "BAD_CONFIG" {
		t.Errorf("a wrong registry: %v", err)
	}
}

type awayRegistry struct{ registry.Registry }

var errAway = errors.New("away")

func (awayRegistry) Register(*registry.Service, ...registry.RegisterOption) error { return errAway }
func (awayRegistry) Deregister(*registry.Service, ...registry.DeregisterOption) error {
	return errAway
}

func TestARegistryThatIsAwayKeepsNobodyFromServing(t *testing.T) {
	h := newHost(t, func(c *Config) { c.Log.Level = "error" })
	h.Registry = awayRegistry{h.Registry}
	s := newGreeter(t, h, newSlow())
	leave, ended := run(t, s)
	c := rpc.NewClient(rpc.ClientConfig{Log: h.Log})
	defer c.Close()
	if _, err := greeterv1.NewGreeterService("greeter", c).Hello(within(t), &greeterv1.HelloRequest{Name: "quick"}, client.WithAddress(s.Addr())); err != nil {
		t.Error(err)
	}
	if !h.Health.Ready() {
		t.Error("it is not ready")
	}
	leave()
	if err := wait(t, ended, "the end"); err != nil {
		t.Errorf("leaving failed: %v", err)
	}
}

func TestOneRequestOneStory(t *testing.T) {
	h := newHost(t, func(c *Config) { c.Tracing.Sampler, c.Tracing.Collector = "none", "http://127.0.0.1:1/" })
	var got struct{ request, trace string }
	s := newGreeter(t, h, &teller{func(ctx context.Context) { got.request, got.trace = ids(ctx) }})
	leave, ended := run(t, s)
	ctx, request, trace := requestContext(within(t), h)
	if _, err := greeterv1.NewGreeterService("greeter", h.Client()).Hello(ctx, &greeterv1.HelloRequest{}); err != nil {
		t.Fatal(err)
	}
	if got.request != request || got.trace != trace || trace == "" {
		t.Errorf("the handler knows %+v, the caller %q and %q", got, request, trace)
	}
	leave()
	if err := wait(t, ended, "the end"); err != nil {
		t.Error(err)
	}
}

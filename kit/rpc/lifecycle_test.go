package rpc_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

func nodes(reg registry.Registry, name string) []*registry.Node {
	var list []*registry.Node
	services, _ := reg.GetService(name)
	for _, s := range services {
		list = append(list, s.Nodes...)
	}
	return list
}

func TestRegistration(t *testing.T) {
	reg := &forgetful{Registry: registry.NewMemoryRegistry()}
	s := serve(t, reg, proto.Greeter, "a", greets(&greeter{}), server.Version("1.2.3"), server.Metadata(map[string]string{"zone": "z"}),
		server.Advertise("localhost"), server.RegisterInterval(20*time.Millisecond))
	list := nodes(reg, proto.Greeter)
	if len(list) != 1 || !s.Registered() {
		t.Fatalf("after Start the registry has %v", list)
	}
	_, port, _ := strings.Cut(s.Addr(), "127.0.0.1:")
	n := list[0]
	if n.Id != proto.Greeter+"-a" || n.Address != "localhost:"+port {
		t.Errorf("node is %s at %s", n.Id, n.Address)
	}
	for k, want := range map[string]string{"protocol": "grpc", "transport": "grpc", "server": "grpc", "registry": "memory", "version": "1.2.3", "zone": "z"} {
		if n.Metadata[k] != want {
			t.Errorf("metadata %s is %q, want %q", k, n.Metadata[k], want)
		}
	}
	services, _ := reg.GetService(proto.Greeter)
	if e := services[0].Endpoints; len(e) != 2 || e[0].Name != "Greeter.Hello" || e[1].Metadata["stream"] != "true" {
		t.Errorf("endpoints are %v", e)
	}

	reg.forget(t, proto.Greeter)
	eventually(t, "the forgotten node is back", func() bool { return len(nodes(reg, proto.Greeter)) == 1 })

	if err := s.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := reg.registers()
	if len(nodes(reg, proto.Greeter)) != 0 {
		t.Fatal("still registered after Deregister")
	}
	conn := dial(t, s.Addr())
	if _, err := greeterv1.NewGreeterClient(conn).Hello(t.Context(), &greeterv1.HelloRequest{}); err != nil {
		t.Errorf("a deregistered server must go on serving: %v", err)
	}
	if reg.registers() != asked {
		t.Error("it registered again after Deregister")
	}
}

// forgetful is a registry that can lose its memory.
type forgetful struct {
	registry.Registry
	mu   sync.Mutex
	last *registry.Service
	n    int
}

func (f *forgetful) Register(s *registry.Service, o ...registry.RegisterOption) error {
	f.mu.Lock()
	f.last, f.n = s, f.n+1
	f.mu.Unlock()
	return f.Registry.Register(s, o...)
}

func (f *forgetful) registers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

func (f *forgetful) forget(t *testing.T, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.Deregister(f.last); err != nil {
		t.Fatal(err)
	}
}

func TestDrainFinishesWhatRuns(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	began, finish := make(chan struct{}), make(chan struct{})
	s := serve(t, reg, proto.Greeter, "a", greets(&greeter{hook: func(context.Context, string) error {
		close(began)
		<-finish
		return nil
	}}))
	conn := dial(t, s.Addr())
	health := healthpb.NewHealthClient(conn)
	watching, err := health.Watch(t.Context(), &healthpb.HealthCheckRequest{}) // must not hold the drain up
	if err != nil {
		t.Fatal(err)
	}
	if m, err := watching.Recv(); err != nil || m.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("health is %v, %v", m, err)
	}
	called := make(chan error, 1)
	go func() {
		_, err := greeterv1.NewGreeterClient(conn).Hello(context.Background(), &greeterv1.HelloRequest{})
		called <- err
	}()
	<-began
	if n := s.Running(); n != 1 { // the call, without the watch
		t.Errorf("%d calls run, want 1", n)
	}
	drained := make(chan error, 1)
	go func() { drained <- errors.Join(s.Deregister(context.Background()), s.Drain(context.Background())) }()
	<-s.Draining()
	eventually(t, "new calls are refused", func() bool {
		_, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{})
		return status.Code(err) == codes.Unavailable
	})
	select {
	case err := <-drained:
		t.Fatalf("drained with a call running: %v", err)
	default:
	}
	close(finish)
	if err := <-called; err != nil {
		t.Errorf("the running call failed: %v", err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	<-s.Done()
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

func TestDrainCutsOffAtItsDeadline(t *testing.T) {
	began := make(chan struct{})
	s := serve(t, registry.NewMemoryRegistry(), proto.Greeter, "a", greets(&greeter{hook: func(ctx context.Context, _ string) error {
		close(began)
		<-ctx.Done()
		return ctx.Err()
	}}))
	conn := dial(t, s.Addr())
	called := make(chan error, 1)
	go func() {
		_, err := greeterv1.NewGreeterClient(conn).Hello(context.Background(), &greeterv1.HelloRequest{})
		called <- err
	}()
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Drain(ctx); err == nil || !strings.Contains(err.Error(), "1 calls were cut off") {
		t.Errorf("got %v", err)
	}
	if err := <-called; status.Code(err) != codes.Unavailable {
		t.Errorf("the call that was cut off got %v", err)
	}
}

func TestServerRefuses(t *testing.T) {
	echo()
	s, err := rpc.NewServer(rpc.ServerConfig{Log: quiet()}, server.Name("x"), server.Address("127.0.0.1:0"), server.Registry(registry.NewMemoryRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	type Echo struct{}
	type Nameless struct{}
	for what, h := range map[string]server.Handler{
		"lacks rpctest.v1.Echo": s.NewHandler(&Echo{}),
		"no proto service":      s.NewHandler(&Nameless{}),
		"is linked in":          s.NewHandler(&Nameless{}, rpc.ServiceName("not.There")),
	} {
		if err := s.Handle(h); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want an error that says %q", err, what)
		}
	}
	if err := greeterv1.RegisterGreeterHandler(s, &greeter{}, rpc.ServiceName("greeter.v1.Greeter")); err != nil {
		t.Fatal(err)
	}
	if err := greeterv1.RegisterGreeterHandler(s, &greeter{}); err == nil {
		t.Error("one service was registered twice")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Init(server.Name("y")); err == nil {
		t.Error("options changed after Start")
	}
	if err := errors.Join(s.Stop(), s.Stop()); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
	never, err := rpc.NewServer(rpc.ServerConfig{Log: quiet()}, server.Address("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(never.Stop(), never.Stop()); err != nil {
		t.Errorf("stopping what never started: %v", err)
	}
}

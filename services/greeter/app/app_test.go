package app_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"calotype/kit/boot"
	"calotype/kit/fault"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	"calotype/services/greeter/app"
)

// greeter boots the real app on free ports of this machine and gives what ends it.
func greeter(t *testing.T) (*boot.Host, *app.App, func() error) {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.RPC.Listen = "127.0.0.1:0"
	cfg.Log.Level = "error"
	cfg.Drain.Timeout = 5 * time.Second
	host, err := boot.NewHost("greeter-test", cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	select {
	case <-a.Ready():
	case err := <-ended:
		t.Fatalf("it ended before it was ready: %v", err)
	}
	end := func() error { cancel(); err := <-ended; ended <- err; return err }
	t.Cleanup(func() {
		if err := errors.Join(end(), host.Close()); err != nil {
			t.Error(err)
		}
	})
	return host, a, end
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestHello(t *testing.T) {
	host, _, _ := greeter(t)
	c := greeterv1.NewGreeterService(proto.Greeter, host.Client())
	for name, want := range map[string]string{"": "Hello, world", "Ada": "Hello, Ada"} {
		out, err := c.Hello(within(t), &greeterv1.HelloRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if out.GetMessage() != want || out.GetNode().GetId() != host.ID || out.GetNode().GetVersion() != host.Version {
			t.Errorf("Hello(%q) = %v", name, out)
		}
	}
	_, err := c.Hello(within(t), &greeterv1.HelloRequest{Name: strings.Repeat("x", 257)})
	if f := fault.As(err); f == nil || f.Kind != fault.Invalid || f.Reason != "BAD_GREETING" || len(f.Fields) != 1 || f.Fields[0].Path != "name" {
		t.Errorf("a name of 257 bytes gave %#v", err)
	}
}

func TestGreetings(t *testing.T) {
	host, _, _ := greeter(t)
	c := greeterv1.NewGreeterService(proto.Greeter, host.Client())
	for _, k := range []struct{ count, interval, want int32 }{{0, 0, 10}, {3, 1, 3}, {1000, 0, 1000}} {
		s, err := c.Greetings(within(t), &greeterv1.GreetingsRequest{Name: "Ada", Count: k.count, IntervalMs: k.interval})
		if err != nil {
			t.Fatal(err)
		}
		var n int32
		for {
			m, err := s.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if n++; m.GetNumber() != n || m.GetMessage() != "Hello, Ada" || m.GetNode().GetId() != host.ID {
				t.Fatalf("greeting %d is %v", n, m)
			}
		}
		if n != k.want {
			t.Errorf("count %d gave %d greetings, want %d", k.count, n, k.want)
		}
	}
}

func TestGreetingsTellEveryFaultAtOnce(t *testing.T) {
	host, _, _ := greeter(t)
	c := greeterv1.NewGreeterService(proto.Greeter, host.Client())
	s, err := c.Greetings(within(t), &greeterv1.GreetingsRequest{Name: strings.Repeat("x", 300), Count: -1, IntervalMs: 10_001})
	if err == nil {
		_, err = s.Recv()
	}
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid || len(f.Fields) != 3 {
		t.Errorf("three faults were told as %v", err)
	}
}

// An ordinary gRPC client, which knows nothing of go-micro, sees ordinary gRPC.
func TestPlainGRPC(t *testing.T) {
	_, a, _ := greeter(t)
	conn, err := grpc.NewClient(a.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := greeterv1.NewGreeterClient(conn)
	if out, err := c.Hello(within(t), &greeterv1.HelloRequest{Name: "Ada"}); err != nil || out.GetMessage() != "Hello, Ada" {
		t.Errorf("Hello: %v, %v", out, err)
	}
	_, err = c.Hello(within(t), &greeterv1.HelloRequest{Name: strings.Repeat("x", 257)})
	st := status.Convert(err)
	if st.Code() != codes.InvalidArgument || len(st.Details()) != 2 {
		t.Fatalf("a name of 257 bytes gave %v with %d details", err, len(st.Details()))
	}
	if info, ok := st.Details()[0].(*errdetails.ErrorInfo); !ok || info.GetReason() != "BAD_GREETING" {
		t.Errorf("the reason is %v", st.Details()[0])
	}
	if r, err := healthpb.NewHealthClient(conn).Check(within(t), &healthpb.HealthCheckRequest{Service: "greeter.v1.Greeter"}); err != nil ||
		r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", r, err)
	}
}

// A stream that would last for hours must not hold a drain up: it ends with a fault that says so.
func TestDrainEndsLongStreams(t *testing.T) {
	_, a, end := greeter(t)
	conn, err := grpc.NewClient(a.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := greeterv1.NewGreeterClient(conn).Greetings(within(t), &greeterv1.GreetingsRequest{Count: 1000, IntervalMs: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Errorf("the drain failed: %v", err)
	}
	if _, err := s.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestOps(t *testing.T) {
	host, _, _ := greeter(t)
	c := greeterv1.NewGreeterService(proto.Greeter, host.Client())
	if _, err := c.Hello(within(t), &greeterv1.HelloRequest{}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/healthz": "ok",
		"/readyz":  `"service calotype-greeter": {`,
		"/metrics": `calotype_rpc_server_handled_total{code="ok",method="/greeter.v1.Greeter/Hello"} 1`,
	} {
		rsp, err := http.Get("http://" + host.OpsAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(rsp.Body)
		rsp.Body.Close()
		if err != nil || rsp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, %v, %s", path, rsp.StatusCode, err, body)
		}
	}
}

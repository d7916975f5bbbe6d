package bench

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	gateway "calotype/gateway/app"
	"calotype/kit/rpc"
	"calotype/kit/tracing"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	greeterrest "calotype/proto/rest/greeter/v1"
	storagev1 "calotype/proto/storage/v1"
)

var blob = make([]byte, 16<<20)

// plain is the service on grpc-go alone.
type plain struct {
	greeterv1.UnimplementedGreeterServer
	storagev1.UnimplementedStorageServer
}

func (plain) Hello(_ context.Context, in *greeterv1.HelloRequest) (*greeterv1.HelloResponse, error) {
	return &greeterv1.HelloResponse{Message: in.GetName(), Node: &greeterv1.Node{Id: "n"}}, nil
}

func (plain) Get(_ *storagev1.GetRequest, s grpc.ServerStreamingServer[storagev1.GetResponse]) error {
	return send(s.Send)
}

// micro is the same on go-micro over kit/rpc.
type micro struct{ storagev1.StorageHandler }

func (micro) Hello(_ context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	out.Message, out.Node = in.GetName(), &greeterv1.Node{Id: "n"}
	return nil
}

func (micro) Greetings(context.Context, *greeterv1.GreetingsRequest, greeterv1.Greeter_GreetingsStream) error {
	return nil
}

func (micro) Get(_ context.Context, _ *storagev1.GetRequest, s storagev1.Storage_GetStream) error {
	return send(s.Send)
}

func send(to func(*storagev1.GetResponse) error) error {
	for left := blob; len(left) > 0; left = left[256<<10:] {
		if err := to(&storagev1.GetResponse{Part: &storagev1.GetResponse_Chunk{Chunk: left[:256<<10]}}); err != nil {
			return err
		}
	}
	return nil
}

// grpcNode is a server of grpc-go's with its defaults.
func grpcNode(b *testing.B) string {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := grpc.NewServer()
	greeterv1.RegisterGreeterServer(s, plain{})
	storagev1.RegisterStorageServer(s, plain{})
	go func() { _ = s.Serve(lis) }()
	b.Cleanup(s.Stop)
	return lis.Addr().String()
}

func grpcConn(b *testing.B, target string, opts ...grpc.DialOption) *grpc.ClientConn {
	conn, err := grpc.NewClient(target, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// rpcNode is a server of kit/rpc's with its defaults.
func rpcNode(b *testing.B, reg registry.Registry, id string, opts ...server.Option) {
	s, err := rpc.NewServer(rpc.ServerConfig{Log: slog.New(slog.DiscardHandler)},
		append([]server.Option{server.Name(proto.Greeter), server.Id(id), server.Address("127.0.0.1:0"), server.Registry(reg)}, opts...)...)
	if err == nil {
		err = errors.Join(greeterv1.RegisterGreeterHandler(s, micro{}), storagev1.RegisterStorageHandler(s, micro{}), s.Start())
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Stop() })
}

func rpcClient(b *testing.B, reg registry.Registry, opts ...client.Option) *rpc.Client {
	c := rpc.NewClient(rpc.ClientConfig{Log: slog.New(slog.DiscardHandler)}, append([]client.Option{client.Registry(reg)}, opts...)...)
	b.Cleanup(func() { _ = c.Close() })
	return c
}

// bounded gives a call of grpc-go's the deadline that kit/rpc gives each call by itself: none should be made without.
func bounded(call func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return call(ctx)
	}
}

// BenchmarkRPC puts the same calls through kit/rpc and through grpc-go alone.
func BenchmarkRPC(b *testing.B) {
	stub := grpcConn(b, grpcNode(b))
	reg := registry.NewMemoryRegistry()
	rpcNode(b, reg, "a")
	c := rpcClient(b, reg)
	sampling := tracing.DefaultConfig() // a hundredth, to a collector that need not be there
	sampling.Sampler = "probabilistic"
	tracer, err := tracing.New(sampling, tracing.Process{Service: "bench"}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = tracer.Close(ctx)
	}()
	tracedReg := registry.NewMemoryRegistry()
	rpcNode(b, tracedReg, "b", server.WrapHandler(tracing.NewHandlerWrapper(tracer)))
	traced := rpcClient(b, tracedReg, tracing.Client(tracer))

	hello := func(bytes int, conn grpc.ClientConnInterface) func(context.Context) error {
		g, in := greeterv1.NewGreeterClient(conn), &greeterv1.HelloRequest{Name: strings.Repeat("x", bytes)}
		return bounded(func(ctx context.Context) error { _, err := g.Hello(ctx, in); return err })
	}
	micro := func(bytes int, c *rpc.Client) func(context.Context) error {
		g, in := greeterv1.NewGreeterService(proto.Greeter, c), &greeterv1.HelloRequest{Name: strings.Repeat("x", bytes)}
		return func(ctx context.Context) error { _, err := g.Hello(ctx, in); return err }
	}
	for _, s := range []struct {
		name           string
		bytes, callers int
	}{{"128B/1 caller", 128, 1}, {"128B/64 callers", 128, 64}, {"1MiB/1 caller", 1 << 20, 1}} {
		b.Run(s.name, func(b *testing.B) { beside(b, s.callers, hello(s.bytes, stub), micro(s.bytes, c)) })
	}
	b.Run("16MiB stream", func(b *testing.B) {
		beside(b, 1, func(ctx context.Context) error {
			stream, err := storagev1.NewStorageClient(stub).Get(ctx, &storagev1.GetRequest{})
			if err != nil {
				return err
			}
			return all(stream.Recv)
		}, func(ctx context.Context) error {
			stream, err := storagev1.NewStorageService(proto.Greeter, c).Get(ctx, &storagev1.GetRequest{})
			if err != nil {
				return err
			}
			return all(stream.Recv)
		})
	})
	// Here the comparison is with kit/rpc itself, without wrappers.
	b.Run("tracing at 1%/64 callers", func(b *testing.B) { beside(b, 64, micro(128, c), micro(128, traced)) })
}

func all(recv func() (*storagev1.GetResponse, error)) error {
	for {
		if _, err := recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// BenchmarkREST puts the same request through grpc-gateway as it comes, over a plain connection with round robin; through the same over
// kit/rpc; and through the routes of our gateway. There are two nodes each.
func BenchmarkREST(b *testing.B) {
	static := manual.NewBuilderWithScheme("bench")
	static.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: grpcNode(b)}, {Addr: grpcNode(b)}}})
	stub := grpcConn(b, "bench:///nodes", grpc.WithResolvers(static), grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
	reg := registry.NewMemoryRegistry()
	rpcNode(b, reg, "a")
	rpcNode(b, reg, "b")
	client := rpcClient(b, reg)
	routes, err := gateway.Transcoded(client)
	if err != nil {
		b.Fatal(err)
	}
	plain := front(b, mux(b, stub))
	b.Run("grpc-gateway's/64 callers", func(b *testing.B) { beside(b, 64, plain, front(b, mux(b, client.Conn(proto.Greeter)))) })
	b.Run("ours/64 callers", func(b *testing.B) { beside(b, 64, plain, front(b, routes)) })
}

func mux(b *testing.B, conn grpc.ClientConnInterface) http.Handler {
	m := runtime.NewServeMux()
	if err := greeterrest.RegisterGreeterHandlerClient(context.Background(), m, greeterv1.NewGreeterClient(conn)); err != nil {
		b.Fatal(err)
	}
	return m
}

// front serves h over HTTP, and makes one request of it.
func front(b *testing.B, h http.Handler) func(context.Context) error {
	// Neither side gets a deadline that the other has not.
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	}))
	b.Cleanup(s.Close)
	web := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/greeter/hello?name=x", nil)
		if err != nil {
			return err
		}
		rsp, err := web.Do(req)
		if err != nil {
			return err
		}
		defer rsp.Body.Close()
		if _, err = io.Copy(io.Discard, rsp.Body); rsp.StatusCode != http.StatusOK {
			return errors.New(rsp.Status)
		}
		return err
	}
}

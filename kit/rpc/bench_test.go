package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
	storagev1 "calotype/proto/storage/v1"
)

// plain is the same service on grpc-go alone.
type plain struct {
	greeterv1.UnimplementedGreeterServer
	storagev1.UnimplementedStorageServer
	blob []byte
}

func (plain) Hello(_ context.Context, in *greeterv1.HelloRequest) (*greeterv1.HelloResponse, error) {
	return &greeterv1.HelloResponse{Message: in.GetName(), Node: &greeterv1.Node{Id: "p"}}, nil
}

func (p plain) Get(_ *storagev1.GetRequest, s grpc.ServerStreamingServer[storagev1.GetResponse]) error {
	return send(p.blob, s.Send)
}

func send(blob []byte, to func(*storagev1.GetResponse) error) error {
	for len(blob) > 0 {
		n := min(len(blob), 256<<10)
		if err := to(&storagev1.GetResponse{Part: &storagev1.GetResponse_Chunk{Chunk: blob[:n]}}); err != nil {
			return err
		}
		blob = blob[n:]
	}
	return nil
}

type ours struct {
	storagev1.StorageHandler
	blob []byte
}

func (ours) Hello(_ context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	out.Message, out.Node = in.GetName(), &greeterv1.Node{Id: "p"}
	return nil
}

func (ours) Greetings(context.Context, *greeterv1.GreetingsRequest, greeterv1.Greeter_GreetingsStream) error {
	return nil
}

func (o ours) Get(_ context.Context, _ *storagev1.GetRequest, s storagev1.Storage_GetStream) error {
	return send(o.blob, s.Send)
}

// BenchmarkAgainstGRPC puts the same calls through kit/rpc and through grpc-go alone, side by side.
func BenchmarkAgainstGRPC(b *testing.B) {
	blob := make([]byte, 16<<20)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	gs := grpc.NewServer()
	greeterv1.RegisterGreeterServer(gs, plain{blob: blob})
	storagev1.RegisterStorageServer(gs, plain{blob: blob})
	go func() { _ = gs.Serve(lis) }()
	defer gs.Stop()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()

	reg := registry.NewMemoryRegistry()
	s, err := rpc.NewServer(rpc.ServerConfig{Log: quiet()}, server.Name("bench"), server.Address("127.0.0.1:0"), server.Registry(reg))
	if err != nil {
		b.Fatal(err)
	}
	err = errors.Join(greeterv1.RegisterGreeterHandler(s, ours{}), storagev1.RegisterStorageHandler(s, ours{blob: blob}), s.Start())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	c := rpc.NewClient(rpc.ClientConfig{Log: quiet()}, client.Registry(reg))
	defer c.Close()
	micro, stub := greeterv1.NewGreeterService("bench", c), greeterv1.NewGreeterClient(conn)
	onConn := greeterv1.NewGreeterClient(c.Conn("bench"))

	type hello func(context.Context, *greeterv1.HelloRequest) error
	hellos := map[string]hello{
		"grpc": func(ctx context.Context, in *greeterv1.HelloRequest) error { _, err := stub.Hello(ctx, in); return err },
		"rpc": func(ctx context.Context, in *greeterv1.HelloRequest) error {
			_, err := micro.Hello(ctx, in)
			return err
		},
		"conn": func(ctx context.Context, in *greeterv1.HelloRequest) error {
			_, err := onConn.Hello(ctx, in)
			return err
		},
	}
	for _, size := range []struct {
		name    string
		bytes   int
		callers int
	}{{"128B/1", 128, 1}, {"128B/64", 128, 64}, {"1MiB/1", 1 << 20, 1}} {
		in := &greeterv1.HelloRequest{Name: strings.Repeat("x", size.bytes)}
		for _, who := range []string{"grpc", "rpc", "conn"} {
			call := hellos[who]
			b.Run(size.name+"/"+who, func(b *testing.B) {
				b.ReportAllocs()
				defer cpu(b)()
				if size.callers == 1 {
					for b.Loop() {
						if err := call(b.Context(), in); err != nil {
							b.Fatal(err)
						}
					}
					return
				}
				b.SetParallelism(size.callers / 2)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := call(b.Context(), in); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
	gets := map[string]func(ctx context.Context) (interface {
		Recv() (*storagev1.GetResponse, error)
	}, error){
		"grpc": func(ctx context.Context) (interface {
			Recv() (*storagev1.GetResponse, error)
		}, error) {
			return storagev1.NewStorageClient(conn).Get(ctx, &storagev1.GetRequest{})
		},
		"rpc": func(ctx context.Context) (interface {
			Recv() (*storagev1.GetResponse, error)
		}, error) {
			return storagev1.NewStorageService("bench", c).Get(ctx, &storagev1.GetRequest{})
		},
	}
	for _, who := range []string{"grpc", "rpc"} {
		b.Run("16MiB stream/"+who, func(b *testing.B) {
			b.SetBytes(int64(len(blob)))
			b.ReportAllocs()
			defer cpu(b)()
			for b.Loop() {
				stream, err := gets[who](b.Context())
				if err != nil {
					b.Fatal(err)
				}
				for {
					if _, err := stream.Recv(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// cpu reports what the call cost client and server together, which a busy machine changes less than the time it took.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Microseconds())/float64(b.N), "cpu-us/op") }
}

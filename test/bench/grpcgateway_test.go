package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"calotype/gateway/app"
	"calotype/kit/boot"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	storagev1 "calotype/proto/storage/v1"
)

// gatewayNode runs the gateway as it is shipped, but for its log, before a greeter and a storage that do no work. It gives its address.
func gatewayNode(b *testing.B) string {
	cfg := app.DefaultConfig()
	cfg.Log.Level = "error"
	cfg.RPC.Listen, cfg.HTTP.Listen, cfg.Ops.Listen = "127.0.0.1:0", "127.0.0.1:0", ""
	host, err := boot.NewHost("bench", cfg.Config)
	if err != nil {
		b.Fatal(err)
	}
	front, err := app.New(cfg, host)
	if err != nil {
		b.Fatal(err)
	}
	rpcNode(b, host.Registry, "greeter", server.Name(proto.Greeter))
	rpcNode(b, host.Registry, "storage", server.Name(proto.Storage))
	ctx, leave := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- front.Run(ctx) }()
	b.Cleanup(func() {
		leave()
		if err := errors.Join(<-ended, host.Close()); err != nil {
			b.Error(err)
		}
	})
	<-front.Ready()
	return front.Addr()
}

// bytesCodec passes messages on as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// plainProxy passes calls on by what grpc-go has for it and nothing else, to one node.
func plainProxy(b *testing.B, node string) *grpc.Server {
	to := grpcConn(b, node)
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	return grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}), grpc.UnknownServiceHandler(func(_ any, in grpc.ServerStream) error {
		ctx, cancel := context.WithCancel(in.Context())
		defer cancel()
		method, _ := grpc.MethodFromServerStream(in)
		out, err := to.NewStream(ctx, desc, method, grpc.ForceCodecV2(bytesCodec{}))
		if err != nil {
			return err
		}
		go func() {
			for {
				var m []byte
				if in.RecvMsg(&m) != nil {
					_ = out.CloseSend()
					return
				}
				if out.SendMsg(&m) != nil {
					return
				}
			}
		}()
		for {
			var m []byte
			if err := out.RecvMsg(&m); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := in.SendMsg(&m); err != nil {
				return err
			}
		}
	}))
}

// BenchmarkGRPCGateway puts gRPC calls through the gateway, and sets them beside the same calls to a node itself, and through the least
// that could stand in the gateway's place: grpc-go's own handler for net/http, which has the port in common with REST but reads ahead
// without bound, and its server on a port of its own. Neither logs, counts, balances or repeats.
func BenchmarkGRPCGateway(b *testing.B) {
	node := grpcNode(b)
	handler := httptest.NewUnstartedServer(plainProxy(b, node))
	handler.Config.Protocols = new(http.Protocols)
	handler.Config.Protocols.SetUnencryptedHTTP2(true)
	handler.Start()
	b.Cleanup(handler.Close)
	native := plainProxy(b, node)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = native.Serve(l) }()
	b.Cleanup(native.Stop)
	ours := grpcConn(b, gatewayNode(b))
	for _, theirs := range []struct {
		name string
		conn *grpc.ClientConn
	}{{"a node itself", grpcConn(b, node)}, {"ServeHTTP", grpcConn(b, strings.TrimPrefix(handler.URL, "http://"))}, {"a port of its own", grpcConn(b, l.Addr().String())}} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("hello/%d callers/beside %s", callers, theirs.name), func(b *testing.B) {
				beside(b, callers, greets(theirs.conn), greets(ours))
			})
		}
		b.Run("16MiB down/beside "+theirs.name, func(b *testing.B) { beside(b, 1, gets(theirs.conn), gets(ours)) })
	}
}

func greets(conn *grpc.ClientConn) func(context.Context) error {
	g, in := greeterv1.NewGreeterClient(conn), &greeterv1.HelloRequest{Name: string(bytes.Repeat([]byte("x"), 128))}
	return bounded(func(ctx context.Context) error { _, err := g.Hello(ctx, in); return err })
}

func gets(conn *grpc.ClientConn) func(context.Context) error {
	return func(ctx context.Context) error {
		stream, err := storagev1.NewStorageClient(conn).Get(ctx, &storagev1.GetRequest{})
		if err != nil {
			return err
		}
		return all(stream.Recv)
	}
}

package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
	storagev1 "calotype/proto/storage/v1"
)

// echo declares, once, the service that the contract has no reason to have: a bidirectional stream, and a method that must not
// be repeated.
var echo = sync.OnceValue(func() string {
	str := proto.String(".google.protobuf.StringValue")
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("rpctest/v1/echo.proto"), Package: proto.String("rpctest.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/wrappers.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Echo"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: proto.String("Append"), InputType: str, OutputType: str},
			{Name: proto.String("Chat"), InputType: str, OutputType: str, ClientStreaming: proto.Bool(true), ServerStreaming: proto.Bool(true)},
		}}},
	}
	fd, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(fd)
	}
	if err != nil {
		panic(err)
	}
	return "echo"
})

// Echo implements it. appended is told every execution of Append.
type Echo struct {
	appended func(string)
}

func (e *Echo) Append(_ context.Context, in, out *wrapperspb.StringValue) error {
	if e.appended != nil {
		e.appended(in.Value)
	}
	out.Value = in.Value
	return nil
}

func (e *Echo) Chat(_ context.Context, s server.Stream) error {
	for {
		in := &wrapperspb.StringValue{}
		if err := s.Recv(in); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if in.Value == "panic" {
			panic("told to")
		}
		if err := s.Send(in); err != nil {
			return err
		}
	}
}

// greeter does what the name it is given says, or what hook says.
type greeter struct {
	id   string
	hook func(ctx context.Context, name string) error
}

func (g *greeter) Hello(ctx context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	if g.hook != nil {
		if err := g.hook(ctx, in.GetName()); err != nil {
			return err
		}
	}
	out.Message, out.Node = "Hello, "+in.GetName(), &greeterv1.Node{Id: g.id}
	return nil
}

func (g *greeter) Greetings(ctx context.Context, in *greeterv1.GreetingsRequest, s greeterv1.Greeter_GreetingsStream) error {
	if g.hook != nil {
		if err := g.hook(ctx, in.GetName()); err != nil {
			return err
		}
	}
	for i := range in.GetCount() {
		if err := s.SendMsg(&greeterv1.GreetingsResponse{Number: i + 1, Message: in.GetName(), Node: &greeterv1.Node{Id: g.id}}); err != nil {
			return err
		}
	}
	return nil
}

// blobs is the part of storage that has streams; the rest is not implemented.
type blobs struct {
	storagev1.StorageHandler
	mu   sync.Mutex
	kept []byte
}

func (b *blobs) Put(_ context.Context, s storagev1.Storage_PutStream) error {
	var all bytes.Buffer
	for {
		in, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if h := in.GetHeader(); h.GetDigest() == "refuse" {
			return fault.New(fault.Invalid, "DIGEST_MISMATCH", "the digest is wrong")
		}
		all.Write(in.GetChunk())
	}
	b.mu.Lock()
	b.kept = all.Bytes()
	b.mu.Unlock()
	return s.SendMsg(&storagev1.PutResponse{Blob: &storagev1.Blob{Size: int64(all.Len())}})
}

func (b *blobs) Get(_ context.Context, in *storagev1.GetRequest, s storagev1.Storage_GetStream) error {
	b.mu.Lock()
	kept := b.kept
	b.mu.Unlock()
	if in.GetDigest() == "gone" {
		return fault.New(fault.NotFound, "NO_SUCH_BLOB", "there is no blob %s", in.GetDigest())
	}
	if err := s.Send(&storagev1.GetResponse{Part: &storagev1.GetResponse_Blob{Blob: &storagev1.Blob{Size: int64(len(kept))}}}); err != nil {
		return err
	}
	for len(kept) > 0 {
		n := min(len(kept), 1<<20)
		if err := s.Send(&storagev1.GetResponse{Part: &storagev1.GetResponse_Chunk{Chunk: kept[:n]}}); err != nil {
			return err
		}
		kept = kept[n:]
	}
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serve starts a server with a handler on a free port and stops it when the test ends.
func serve(t *testing.T, reg registry.Registry, name, id string, register func(*rpc.Server) error, opts ...server.Option) *rpc.Server {
	t.Helper()
	return serveWith(t, rpc.ServerConfig{Log: quiet()}, reg, name, id, register, opts...)
}

func serveWith(t *testing.T, cfg rpc.ServerConfig, reg registry.Registry, name, id string, register func(*rpc.Server) error, opts ...server.Option) *rpc.Server {
	t.Helper()
	s, err := rpc.NewServer(cfg, append([]server.Option{server.Name(name), server.Id(id), server.Registry(reg), server.Address("127.0.0.1:0")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := register(s); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	return s
}

func greets(g *greeter) func(*rpc.Server) error {
	return func(s *rpc.Server) error { return greeterv1.RegisterGreeterHandler(s, g) }
}

func echoes(e *Echo) func(*rpc.Server) error {
	echo()
	return func(s *rpc.Server) error { return s.Handle(s.NewHandler(e)) }
}

func stores(b *blobs) func(*rpc.Server) error {
	return func(s *rpc.Server) error { return storagev1.RegisterStorageHandler(s, b) }
}

func newClient(t *testing.T, reg registry.Registry, opts ...client.Option) *rpc.Client {
	t.Helper()
	return clientWith(t, rpc.ClientConfig{Log: quiet()}, reg, opts...)
}

func clientWith(t *testing.T, cfg rpc.ClientConfig, reg registry.Registry, opts ...client.Option) *rpc.Client {
	t.Helper()
	c := rpc.NewClient(cfg, append([]client.Option{client.Registry(reg)}, opts...)...)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// dial makes an ordinary grpc-go connection.
func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

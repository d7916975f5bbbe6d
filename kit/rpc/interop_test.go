package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	storagev1 "calotype/proto/storage/v1"
)

func TestOrdinaryClient(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	s := serve(t, reg, proto.Greeter, "a", func(s *rpc.Server) error {
		return errors.Join(greets(&greeter{id: "a", hook: func(ctx context.Context, name string) error {
			switch name {
			case "nobody":
				e := fault.New(fault.NotFound, "NO_SUCH_NAME", "nobody is called so")
				e.RetryAfter, e.Fields = 3*time.Second, []fault.Field{{Path: "name", Message: "is nobody's"}}
				return e
			case "plain":
				st, _ := status.New(codes.Aborted, "as it was").WithDetails(&errdetails.Help{})
				return st.Err()
			case "secret":
				return errors.New("the password is hunter2")
			case "deadline":
				if d, ok := ctx.Deadline(); !ok || time.Until(d) > 5*time.Second {
					return errors.New("no deadline arrived")
				}
			case "panic":
				panic("told to")
			}
			return nil
		}})(s), stores(&blobs{})(s), echoes(&Echo{})(s))
	})
	conn := dial(t, s.Addr())
	g := greeterv1.NewGreeterClient(conn)

	t.Run("unary", func(t *testing.T) {
		out, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "Ada"})
		if err != nil || out.GetMessage() != "Hello, Ada" {
			t.Fatalf("got %v, %v", out, err)
		}
	})
	t.Run("fault becomes status with details", func(t *testing.T) {
		_, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "nobody"})
		st := status.Convert(err)
		if st.Code() != codes.NotFound || st.Message() != "nobody is called so" || len(st.Details()) != 3 {
			t.Fatalf("got %v", st.Proto())
		}
		if i, ok := st.Details()[0].(*errdetails.ErrorInfo); !ok || i.GetReason() != "NO_SUCH_NAME" || i.GetDomain() != "calotype" {
			t.Errorf("ErrorInfo is %v", st.Details()[0])
		}
		if b, ok := st.Details()[1].(*errdetails.BadRequest); !ok || b.GetFieldViolations()[0].GetField() != "name" {
			t.Errorf("BadRequest is %v", st.Details()[1])
		}
		if r, ok := st.Details()[2].(*errdetails.RetryInfo); !ok || r.GetRetryDelay().AsDuration() != 3*time.Second {
			t.Errorf("RetryInfo is %v", st.Details()[2])
		}
	})
	t.Run("plain status passes unharmed", func(t *testing.T) {
		_, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "plain"})
		if st := status.Convert(err); st.Code() != codes.Aborted || st.Message() != "as it was" || len(st.Details()) != 1 {
			t.Fatalf("got %v", st.Proto())
		}
	})
	t.Run("other errors keep their text", func(t *testing.T) {
		_, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "secret"})
		if st := status.Convert(err); st.Code() != codes.Internal || st.Message() != "internal error" {
			t.Fatalf("got %v", st.Proto())
		}
	})
	t.Run("deadline arrives", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := g.Hello(ctx, &greeterv1.HelloRequest{Name: "deadline"}); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a panic is one failed call", func(t *testing.T) {
		if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "panic"}); status.Code(err) != codes.Internal {
			t.Fatalf("got %v", err)
		}
		chat, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/rpctest.v1.Echo/Chat")
		if err != nil {
			t.Fatal(err)
		}
		if err := chat.SendMsg(wrapperspb.String("panic")); err != nil {
			t.Fatal(err)
		}
		if err := chat.RecvMsg(&wrapperspb.StringValue{}); status.Code(err) != codes.Internal {
			t.Fatalf("got %v", err)
		}
		if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}); err != nil {
			t.Fatalf("the server did not outlive the panic: %v", err)
		}
	})
	t.Run("server stream", func(t *testing.T) {
		stream, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Name: "x", Count: 3})
		if err != nil {
			t.Fatal(err)
		}
		for want := int32(1); want <= 3; want++ {
			if m, err := stream.Recv(); err != nil || m.GetNumber() != want {
				t.Fatalf("got %v, %v", m, err)
			}
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Fatalf("got %v, want EOF", err)
		}
	})
	t.Run("client stream", func(t *testing.T) {
		put, err := storagev1.NewStorageClient(conn).Put(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: []byte("abc")}}); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := put.CloseAndRecv(); err != nil || out.GetBlob().GetSize() != 9 {
			t.Fatalf("got %v, %v", out, err)
		}
	})
	t.Run("only the right package is served", func(t *testing.T) {
		err := conn.Invoke(t.Context(), "/other.pkg.Greeter/Hello", &greeterv1.HelloRequest{}, &greeterv1.HelloResponse{})
		if status.Code(err) != codes.Unimplemented {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("health and reflection", func(t *testing.T) {
		h := healthpb.NewHealthClient(conn)
		for _, name := range []string{"", "greeter.v1.Greeter"} {
			if out, err := h.Check(t.Context(), &healthpb.HealthCheckRequest{Service: name}); err != nil || out.GetStatus() != healthpb.HealthCheckResponse_SERVING {
				t.Errorf("health of %q: %v, %v", name, out, err)
			}
		}
		stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{
			FileContainingSymbol: "greeter.v1.Greeter.Hello"}}); err != nil {
			t.Fatal(err)
		}
		if out, err := stream.Recv(); err != nil || len(out.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
			t.Errorf("reflection: %v, %v", out, err)
		}
		_ = stream.CloseSend()
	})
}

// ordinary is a server of grpc-go's generated code, with nothing of ours.
type ordinary struct {
	greeterv1.UnimplementedGreeterServer
	storagev1.UnimplementedStorageServer
}

func (ordinary) Hello(ctx context.Context, in *greeterv1.HelloRequest) (*greeterv1.HelloResponse, error) {
	if in.GetName() == "nobody" {
		st, _ := status.New(codes.NotFound, "not here").WithDetails(&errdetails.ErrorInfo{Reason: "GONE", Domain: "elsewhere"},
			&errdetails.RetryInfo{})
		return nil, st.Err()
	}
	_ = grpc.SetHeader(ctx, metadata.Pairs("seen", "yes"))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("after", "all"))
	return &greeterv1.HelloResponse{Message: "Hello, " + in.GetName()}, nil
}

func (ordinary) Greetings(in *greeterv1.GreetingsRequest, s grpc.ServerStreamingServer[greeterv1.GreetingsResponse]) error {
	for i := range in.GetCount() {
		if err := s.Send(&greeterv1.GreetingsResponse{Number: i + 1}); err != nil {
			return err
		}
	}
	return status.Error(codes.OutOfRange, "no more")
}

func (ordinary) Put(s grpc.ClientStreamingServer[storagev1.PutRequest, storagev1.PutResponse]) error {
	var size int64
	for {
		in, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return s.SendAndClose(&storagev1.PutResponse{Blob: &storagev1.Blob{Size: size}})
		}
		if err != nil {
			return err
		}
		size += int64(len(in.GetChunk()))
	}
}

func TestOrdinaryServer(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gs := grpc.NewServer()
	greeterv1.RegisterGreeterServer(gs, ordinary{})
	storagev1.RegisterStorageServer(gs, ordinary{})
	go func() { _ = gs.Serve(lis) }()
	t.Cleanup(gs.Stop)
	reg := registry.NewMemoryRegistry()
	for _, name := range []string{proto.Greeter, proto.Storage} {
		node := &registry.Service{Name: name, Version: "1", Nodes: []*registry.Node{{Id: name, Address: lis.Addr().String()}}}
		if err := reg.Register(node); err != nil {
			t.Fatal(err)
		}
	}
	c := newClient(t, reg)
	g := greeterv1.NewGreeterService(proto.Greeter, c)

	t.Run("unary with header and trailer", func(t *testing.T) {
		var header, trailer metadata.MD
		out, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "Ada"}, rpc.WithHeader(&header), rpc.WithTrailer(&trailer))
		if err != nil || out.GetMessage() != "Hello, Ada" || len(header["seen"]) != 1 || len(trailer["after"]) != 1 {
			t.Fatalf("got %v, %v, %v, %v", out, err, header, trailer)
		}
	})
	t.Run("go-micro's name of a method", func(t *testing.T) {
		for _, name := range []string{"Greeter.Hello", "greeter.v1.Greeter.Hello"} {
			out := &greeterv1.HelloResponse{}
			if err := c.Call(t.Context(), c.NewRequest(proto.Greeter, name, &greeterv1.HelloRequest{Name: "x"}), out); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("NotFound with details", func(t *testing.T) {
		_, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "nobody"})
		if fault.KindOf(err) != fault.NotFound || fault.ReasonOf(err) != "GONE" {
			t.Fatalf("got %v", err)
		}
		if st, ok := status.FromError(err); !ok || st.Code() != codes.NotFound || st.Message() != "not here" || len(st.Details()) != 2 {
			t.Fatalf("got %v", st.Proto())
		}
	})
	t.Run("server stream and the error at its end", func(t *testing.T) {
		stream, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 2})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // and it stays so
			if _, err := stream.Recv(); status.Code(err) != codes.OutOfRange || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("got %v", err)
			}
		}
	})
	t.Run("client stream", func(t *testing.T) {
		put, err := storagev1.NewStorageService(proto.Storage, c).Put(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: make([]byte, 1<<20)}}); err != nil {
				t.Fatal(err)
			}
		}
		var out storagev1.PutResponse
		if err := errors.Join(put.CloseSend(), put.RecvMsg(&out)); err != nil || out.GetBlob().GetSize() != 2<<20 {
			t.Fatalf("got %v, %v", &out, err)
		}
	})
	t.Run("grpc-go's stubs on Conn", func(t *testing.T) {
		var header metadata.MD
		stub := greeterv1.NewGreeterClient(c.Conn(proto.Greeter))
		if out, err := stub.Hello(t.Context(), &greeterv1.HelloRequest{Name: "x"}, grpc.Header(&header)); err != nil || len(header["seen"]) != 1 {
			t.Fatalf("got %v, %v, %v", out, err, header)
		}
		stream, err := stub.Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		if md, err := stream.Header(); err != nil || len(md["content-type"]) != 1 {
			t.Errorf("header: %v, %v", md, err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.OutOfRange {
			t.Fatalf("got %v", err)
		}
		put, err := storagev1.NewStorageClient(c.Conn(proto.Storage)).Put(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: []byte("abc")}}); err != nil {
			t.Fatal(err)
		}
		if out, err := put.CloseAndRecv(); err != nil || out.GetBlob().GetSize() != 3 {
			t.Fatalf("got %v, %v", out, err)
		}
	})
}

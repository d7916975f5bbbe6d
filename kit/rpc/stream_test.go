package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	storagev1 "calotype/proto/storage/v1"
)

// drainStream reads to the end; a good end is nil.
func drainStream(recv func(any) error) error {
	for {
		switch err := recv(&greeterv1.GreetingsResponse{}); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func TestStreams(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	kept := &blobs{}
	serve(t, reg, proto.Storage, "s", stores(kept))
	serve(t, reg, "echo", "e", echoes(&Echo{}))
	c := newClient(t, reg)
	storage := storagev1.NewStorageService(proto.Storage, c)

	t.Run("up and down again", func(t *testing.T) {
		put, err := storage.Put(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		const chunks = 8
		for range chunks {
			if err := put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: make([]byte, 1<<20)}}); err != nil {
				t.Fatal(err)
			}
		}
		var out storagev1.PutResponse
		if err := errors.Join(put.CloseSend(), put.RecvMsg(&out)); err != nil || out.GetBlob().GetSize() != chunks<<20 {
			t.Fatalf("got %v, %v", &out, err)
		}
		get, err := storage.Get(t.Context(), &storagev1.GetRequest{})
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for {
			m, err := get.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			size += len(m.GetChunk())
		}
		if size != chunks<<20 {
			t.Errorf("got %d bytes back", size)
		}
	})
	t.Run("the server refuses in the middle", func(t *testing.T) {
		put, err := storage.Put(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{Digest: "refuse"}}})
		for err == nil {
			err = put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: make([]byte, 1<<16)}})
		}
		if !errors.Is(err, io.EOF) {
			t.Fatalf("Send gave %v, want EOF", err)
		}
		if err := put.RecvMsg(&storagev1.PutResponse{}); fault.ReasonOf(err) != "DIGEST_MISMATCH" {
			t.Fatalf("Recv gave %v", err)
		}
	})
	t.Run("an error instead of the first message", func(t *testing.T) {
		get, err := storage.Get(t.Context(), &storagev1.GetRequest{Digest: "gone"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := get.Recv(); fault.KindOf(err) != fault.NotFound {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("to and fro", func(t *testing.T) {
		chat, err := c.Stream(t.Context(), c.NewRequest("echo", "/rpctest.v1.Echo/Chat", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer chat.Close()
		for _, word := range []string{"a", "b", "c"} {
			out := &wrapperspb.StringValue{}
			if err := errors.Join(chat.Send(wrapperspb.String(word)), chat.Recv(out)); err != nil || out.Value != word {
				t.Fatalf("got %v, %v", out, err)
			}
		}
		if err := chat.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if err := chat.Recv(&wrapperspb.StringValue{}); !errors.Is(err, io.EOF) {
			t.Fatalf("got %v, want EOF", err)
		}
	})
	t.Run("close cancels the handler", func(t *testing.T) {
		began, left := make(chan struct{}), make(chan struct{})
		serve(t, reg, "watch", "w", greets(&greeter{hook: func(ctx context.Context, _ string) error {
			close(began)
			<-ctx.Done()
			close(left)
			return ctx.Err()
		}}))
		s, err := greeterv1.NewGreeterService("watch", c).Greetings(t.Context(), &greeterv1.GreetingsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		<-began
		_ = s.Close()
		closed := time.Now()
		select {
		case <-left:
			t.Logf("the handler learned of it after %v", time.Since(closed))
		case <-time.After(5 * time.Second):
			t.Fatal("the handler never learned that its caller left")
		}
		if _, err := s.Recv(); status.Code(err) != codes.Canceled {
			t.Errorf("Recv after Close gave %v", err)
		}
	})
}

func TestMessagesTooLarge(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	serveWith(t, rpc.ServerConfig{Log: quiet(), Limits: rpc.Limits{MaxRecv: 1 << 20}}, reg, proto.Greeter, "g", greets(&greeter{}))
	serveWith(t, rpc.ServerConfig{Log: quiet(), Limits: rpc.Limits{MaxRecv: 1 << 20}}, reg, "echo", "e", echoes(&Echo{}))
	c := clientWith(t, rpc.ClientConfig{Log: quiet(), Limits: rpc.Limits{MaxRecv: 64 << 10}}, reg)
	g := greeterv1.NewGreeterService(proto.Greeter, c)

	_, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: strings.Repeat("x", 2<<20)})
	if fault.KindOf(err) != fault.Exhausted || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("unary: %v", err)
	}
	chat, err := c.Stream(t.Context(), c.NewRequest("echo", "/rpctest.v1.Echo/Chat", nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = chat.Send(wrapperspb.String(strings.Repeat("x", 2<<20)))
	if err := chat.Recv(&wrapperspb.StringValue{}); fault.KindOf(err) != fault.Exhausted || !strings.Contains(err.Error(), "1048576") {
		t.Errorf("stream: %v", err)
	}
	_, err = g.Hello(t.Context(), &greeterv1.HelloRequest{Name: strings.Repeat("x", 128<<10)})
	if fault.KindOf(err) != fault.Exhausted || !strings.Contains(err.Error(), "65536") {
		t.Errorf("answer: %v", err)
	}
	if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "x"}); err != nil {
		t.Errorf("the connection was dropped for it: %v", err)
	}
}

func TestConnectionsOutliveErrors(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &counting{Listener: lis}
	reg := registry.NewMemoryRegistry()
	serveWith(t, rpc.ServerConfig{Log: quiet(), Listener: counted}, reg, proto.Greeter, "g", greets(&greeter{hook: func(context.Context, string) error {
		return fault.New(fault.NotFound, "", "not here")
	}}))
	g := greeterv1.NewGreeterService(proto.Greeter, newClient(t, reg))
	for range 200 {
		if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}); fault.KindOf(err) != fault.NotFound {
			t.Fatal(err)
		}
	}
	if n := counted.accepted; n != 1 {
		t.Errorf("200 calls that found nothing took %d connections", n)
	}
}

type counting struct {
	net.Listener
	accepted int
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted++ // one goroutine accepts
	}
	return c, err
}

func TestNothingIsLeftBehind(t *testing.T) {
	reg := registry.NewMemoryRegistry() // its goroutine has no end; it is among the current ones
	runtime.Gosched()
	before := goleak.IgnoreCurrent()
	s := serve(t, reg, proto.Greeter, "g", greets(&greeter{hook: func(ctx context.Context, name string) error {
		if name == "wait" {
			<-ctx.Done()
		}
		return nil
	}}))
	for range 3 {
		c := rpc.NewClient(rpc.ClientConfig{Log: quiet()}, client.Registry(reg))
		g := greeterv1.NewGreeterService(proto.Greeter, c)
		if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}); err != nil {
			t.Fatal(err)
		}
		read, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 2})
		if err != nil {
			t.Fatal(err)
		}
		if err := drainStream(read.RecvMsg); err != nil {
			t.Fatal(err)
		}
		closed, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Name: "wait"})
		if err != nil {
			t.Fatal(err)
		}
		_ = closed.Close()
		if _, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Name: "wait"}); err != nil { // abandoned
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Hello(t.Context(), &greeterv1.HelloRequest{}); status.Code(err) != codes.Canceled {
			t.Errorf("a call after Close gave %v", err)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

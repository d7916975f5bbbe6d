package rpc_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	storagev1 "calotype/proto/storage/v1"
)

// TestTooLarge sends what is beyond a limit of each side: the error tells what happened and how much was allowed.
func TestTooLarge(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	b := &blobs{kept: make([]byte, 1<<20)}
	s := serve(t, reg, proto.Storage, "a", func(s *rpc.Server) error {
		if err := greets(&greeter{})(s); err != nil {
			return err
		}
		return stores(b)(s)
	})
	_ = s
	limited := func(l rpc.Limits) *rpc.Client { return clientWith(t, rpc.ClientConfig{Log: quiet(), Limits: l}, reg) }
	hello := func(c *rpc.Client, bytes int) error {
		_, err := greeterv1.NewGreeterService(proto.Storage, c).Hello(t.Context(), &greeterv1.HelloRequest{Name: strings.Repeat("x", bytes)})
		return err
	}
	for what, err := range map[string]error{
		"64 MiB to a server that takes 4": hello(limited(rpc.Limits{MaxSend: 128 << 20}), 64<<20),
		"what the client may not send":    hello(limited(rpc.Limits{MaxSend: 1 << 20}), 2<<20),
		"what the client may not receive": hello(limited(rpc.Limits{MaxRecv: 1 << 10}), 2<<10),
		"in a stream": func() error {
			stream, err := storagev1.NewStorageService(proto.Storage, limited(rpc.Limits{MaxRecv: 1 << 10})).Get(t.Context(), &storagev1.GetRequest{})
			for err == nil {
				_, err = stream.Recv()
			}
			return err
		}(),
	} {
		if fault.ReasonOf(err) != "MESSAGE_TOO_LARGE" || fault.KindOf(err) != fault.Exhausted || status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: %v (reason %q)", what, err, fault.ReasonOf(err))
		}
		if err == nil || !strings.Contains(err.Error(), "larger than max") {
			t.Errorf("%s: the error does not tell: %v", what, err)
		}
	}
}

func TestAnOpenReflectionStreamDoesNotHoldTheDrain(t *testing.T) {
	s := serve(t, registry.NewMemoryRegistry(), proto.Greeter, "a", greets(&greeter{}))
	stream, err := reflectionpb.NewServerReflectionClient(dial(t, s.Addr())).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
	if err := stream.Send(ask); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	// Without a deadline: were the stream waited for, this would hang.
	if err := s.Drain(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended as %v", err)
	}
}

// endless sends chunks of 1 MiB until its caller leaves.
type endless struct {
	blobs
	sent atomic.Int64
	left chan error
}

func (e *endless) Get(ctx context.Context, _ *storagev1.GetRequest, s storagev1.Storage_GetStream) error {
	chunk := make([]byte, 1<<20)
	for {
		if err := s.Send(&storagev1.GetResponse{Part: &storagev1.GetResponse_Chunk{Chunk: chunk}}); err != nil {
			e.left <- err
			return err
		}
		e.sent.Add(1)
	}
}

// TestSlowReader opens a stream and does not read it: the server waits, with little in memory, other calls on the same connection
// pass, and the handler ends when its caller leaves.
func TestSlowReader(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	e := &endless{left: make(chan error, 1)}
	serve(t, reg, proto.Storage, "a", func(s *rpc.Server) error {
		return errors.Join(greets(&greeter{})(s), storagev1.RegisterStorageHandler(s, e))
	})
	c := newClient(t, reg)
	stream, err := storagev1.NewStorageService(proto.Storage, c).Get(t.Context(), &storagev1.GetRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	// It goes on for as long as 200 other calls take, and they are not held up.
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := greeterv1.NewGreeterService(proto.Storage, c).Hello(ctx, &greeterv1.HelloRequest{})
		cancel()
		if err != nil {
			t.Fatalf("beside a stream that nobody reads: %v", err)
		}
	}
	if n := e.sent.Load(); n > 10 {
		t.Errorf("%d MiB were sent to a reader that took one", n)
	}
	_ = stream.Close()
	select {
	case <-e.left:
	case <-time.After(10 * time.Second):
		t.Error("the handler goes on for a reader that left")
	}
}

package rpc_test

import (
	"context"
	"strings"
	"testing"

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

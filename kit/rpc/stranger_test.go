package rpc_test

import (
	"strconv"
	"testing"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"calotype/kit/fault"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

// A registry that comes back tells of nodes as they were: by now somebody else may have the address of one.
func TestAStrangerAtANodesAddress(t *testing.T) {
	reg, elsewhere := registry.NewMemoryRegistry(), registry.NewMemoryRegistry()
	serve(t, reg, proto.Greeter, "a", greets(&greeter{}))
	stranger := serve(t, elsewhere, "echo", "e", echoes(&Echo{}))
	if err := reg.Register(&registry.Service{Name: proto.Greeter, Nodes: []*registry.Node{{Id: "gone", Address: stranger.Addr(), Metadata: map[string]string{"protocol": "grpc"}}}}); err != nil {
		t.Fatal(err)
	}
	g := greeterv1.NewGreeterService(proto.Greeter, newClient(t, reg))
	for i := range 100 {
		if rsp, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: strconv.Itoa(i)}); err != nil {
			t.Fatalf("call %d: %v", i, err)
		} else if rsp.GetMessage() == "" {
			t.Errorf("call %d was answered %v", i, rsp)
		}
		stream, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 1})
		if err == nil {
			_, err = stream.Recv()
		}
		if err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
	}
	// Where nobody has the service, that is the answer.
	alone := registry.NewMemoryRegistry()
	serve(t, alone, proto.Greeter, "e", echoes(&Echo{}))
	_, err := greeterv1.NewGreeterService(proto.Greeter, newClient(t, alone)).Hello(t.Context(), &greeterv1.HelloRequest{})
	if status.Code(err) != codes.Unimplemented && fault.KindOf(err) != fault.Internal {
		t.Errorf("without the service: %v", err)
	}
}

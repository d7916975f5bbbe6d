package rpc_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

// stuck is two greeters of which the first to be asked says so and never answers.
func stuck(t *testing.T, sendFirst int32) (registry.Registry, map[string]*rpc.Server, chan string) {
	t.Helper()
	reg := registry.NewMemoryRegistry()
	servers, asked := map[string]*rpc.Server{}, make(chan string, 1)
	var once sync.Once
	for _, id := range []string{"a", "b"} {
		servers[id] = serve(t, reg, proto.Greeter, id, func(s *rpc.Server) error {
			return greeterv1.RegisterGreeterHandler(s, &sticking{greeter{id: id}, sendFirst, func(ctx context.Context) error {
				first := false
				once.Do(func() { first = true; asked <- id })
				if first {
					<-ctx.Done()
				}
				return ctx.Err()
			}})
		})
	}
	return reg, servers, asked
}

type sticking struct {
	greeter
	sendFirst int32
	stick     func(context.Context) error
}

func (g *sticking) Greetings(ctx context.Context, in *greeterv1.GreetingsRequest, s greeterv1.Greeter_GreetingsStream) error {
	for range g.sendFirst {
		if err := s.Send(&greeterv1.GreetingsResponse{Node: &greeterv1.Node{Id: g.id}}); err != nil {
			return err
		}
	}
	if err := g.stick(ctx); err != nil {
		return err
	}
	return g.greeter.Greetings(ctx, in, s)
}

func TestStreamMovesUntilItsFirstMessage(t *testing.T) {
	reg, servers, asked := stuck(t, 0)
	s, err := greeterv1.NewGreeterService(proto.Greeter, newClient(t, reg)).Greetings(t.Context(), &greeterv1.GreetingsRequest{Name: "x", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	dead := <-asked
	servers[dead].GRPC().Stop()
	for want := int32(1); want <= 2; want++ {
		m, err := s.Recv()
		if err != nil || m.GetNumber() != want || m.GetMessage() != "x" || m.GetNode().GetId() == dead {
			t.Fatalf("after %s died: got %v, %v", dead, m, err)
		}
	}
}

func TestStreamStaysAfterItsFirstMessage(t *testing.T) {
	reg, servers, asked := stuck(t, 1)
	s, err := greeterv1.NewGreeterService(proto.Greeter, newClient(t, reg)).Greetings(t.Context(), &greeterv1.GreetingsRequest{Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	servers[<-asked].GRPC().Stop()
	if m, err := s.Recv(); status.Code(err) != codes.Unavailable || fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("a stream that had begun gave %v, %v", m, err)
	}
}

func TestUndeclaredStreamIsNotRepeated(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	asked := make(chan string, 2)
	servers := map[string]*rpc.Server{}
	echo()
	for _, id := range []string{"a", "b"} {
		servers[id] = serve(t, reg, "echo", id, func(s *rpc.Server) error {
			return s.Handle(s.NewHandler(&mute{Echo{}, func() { asked <- id }}, rpc.ServiceName("rpctest.v1.Echo")))
		})
	}
	c := newClient(t, reg)
	chat, err := c.Stream(t.Context(), c.NewRequest("echo", "/rpctest.v1.Echo/Chat", nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := chat.Send(wrapperspb.String("x")); err != nil {
		t.Fatal(err)
	}
	servers[<-asked].GRPC().Stop()
	if err := chat.Recv(&wrapperspb.StringValue{}); status.Code(err) != codes.Unavailable {
		t.Fatalf("got %v", err)
	}
	if len(asked) != 0 {
		t.Error("another node was asked too")
	}
}

// mute hears and does not answer.
type mute struct {
	Echo
	heard func()
}

func (m *mute) Chat(ctx context.Context, s server.Stream) error {
	if err := s.Recv(&wrapperspb.StringValue{}); err != nil {
		return errors.Join(err)
	}
	m.heard()
	<-ctx.Done()
	return ctx.Err()
}

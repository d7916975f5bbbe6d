package rpc_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc/status"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

type greeter struct{ id string }

func (g *greeter) Hello(ctx context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	switch in.Name {
	case "nobody":
		return fault.New(fault.NotFound, "NO_SUCH_NAME", "nobody is called %s", in.Name)
	case "panic":
		panic("oops")
	}
	out.Message = "Hello, " + in.Name
	out.Node = &greeterv1.Node{Id: g.id}
	return nil
}

func (g *greeter) Greetings(ctx context.Context, in *greeterv1.GreetingsRequest, s greeterv1.Greeter_GreetingsStream) error {
	for i := range in.Count {
		if err := s.Send(&greeterv1.GreetingsResponse{Number: i + 1, Message: in.Name}); err != nil {
			return err
		}
	}
	return nil
}

func TestFirst(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	s, err := rpc.NewServer(rpc.ServerConfig{}, server.Name(proto.Greeter), server.Registry(reg), server.Address("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := greeterv1.RegisterGreeterHandler(s, &greeter{"a"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	c := rpc.NewClient(rpc.ClientConfig{Log: slog.Default()}, client.Registry(reg))
	defer c.Close()
	g := greeterv1.NewGreeterService(proto.Greeter, c)
	out, err := g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "Ada"})
	if err != nil || out.Message != "Hello, Ada" {
		t.Fatal(out, err)
	}
	_, err = g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "nobody"})
	if fault.KindOf(err) != fault.NotFound || fault.ReasonOf(err) != "NO_SUCH_NAME" {
		t.Fatal(err)
	}
	t.Log(err, status.Convert(err).Details())
	_, err = g.Hello(t.Context(), &greeterv1.HelloRequest{Name: "panic"})
	t.Log(err)
	st, err := g.Greetings(t.Context(), &greeterv1.GreetingsRequest{Name: "x", Count: 3})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		_, err := st.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 3 {
		t.Fatal(n)
	}
	out, err = greeterv1.NewGreeterClient(c.Conn(proto.Greeter)).Hello(t.Context(), &greeterv1.HelloRequest{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
}

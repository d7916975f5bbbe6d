package rpc_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
)

type polite struct{ node string }

func (p polite) Hello(_ context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	if in.GetName() == "" {
		return fault.New(fault.Invalid, "NO_NAME", "whom shall I greet?")
	}
	out.Message, out.Node = "Hello, "+in.GetName(), &greeterv1.Node{Id: p.node}
	return nil
}

func (polite) Greetings(context.Context, *greeterv1.GreetingsRequest, greeterv1.Greeter_GreetingsStream) error {
	return fault.New(fault.Unavailable, "", "one greeting at a time")
}

// Two nodes register; a client finds them by the name of their service and does not notice when one leaves.
func Example() {
	reg := registry.NewMemoryRegistry() // in earnest: Consul
	quiet := slog.New(slog.DiscardHandler)
	ctx := context.Background()

	var nodes []*rpc.Server
	for _, id := range []string{"one", "two"} {
		s, err := rpc.NewServer(rpc.ServerConfig{Log: quiet}, server.Name("greeter"), server.Id(id), server.Address("127.0.0.1:0"), server.Registry(reg))
		if err != nil {
			log.Fatal(err)
		}
		if err := greeterv1.RegisterGreeterHandler(s, polite{id}); err != nil {
			log.Fatal(err)
		}
		if err := s.Start(); err != nil {
			log.Fatal(err)
		}
		defer func() { _ = s.Stop() }()
		nodes = append(nodes, s)
	}

	c := rpc.NewClient(rpc.ClientConfig{Log: quiet}, client.Registry(reg))
	defer c.Close()
	greeter := greeterv1.NewGreeterService("greeter", c)

	out, err := greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "Ada"})
	fmt.Println(out.GetMessage(), err)

	// Errors keep their kind, and the reason that code can rely on.
	_, err = greeter.Hello(ctx, &greeterv1.HelloRequest{})
	fmt.Println(fault.KindOf(err), fault.ReasonOf(err))

	// A node leaves in steps. A process would wait between the two for the news to travel.
	if err := nodes[0].Deregister(ctx); err != nil {
		log.Fatal(err)
	}
	if err := nodes[0].Drain(ctx); err != nil {
		log.Fatal(err)
	}
	for range 100 {
		if out, err = greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "Ada"}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("from", out.GetNode().GetId())
	// Output:
	// Hello, Ada <nil>
	// invalid NO_NAME
	// from two
}

// The stubs that protoc-gen-go-grpc and grpc-gateway generate run on Conn, with the same balancing and retries.
func ExampleClient_Conn() {
	reg := registry.NewMemoryRegistry()
	quiet := slog.New(slog.DiscardHandler)
	s, err := rpc.NewServer(rpc.ServerConfig{Log: quiet}, server.Name("greeter"), server.Address("127.0.0.1:0"), server.Registry(reg))
	if err != nil {
		log.Fatal(err)
	}
	if err := greeterv1.RegisterGreeterHandler(s, polite{"one"}); err != nil {
		log.Fatal(err)
	}
	if err := s.Start(); err != nil {
		log.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	c := rpc.NewClient(rpc.ClientConfig{Log: quiet}, client.Registry(reg))
	defer c.Close()

	out, err := greeterv1.NewGreeterClient(c.Conn("greeter")).Hello(context.Background(), &greeterv1.HelloRequest{Name: "Grace"})
	fmt.Println(out.GetMessage(), err)
	// Output: Hello, Grace <nil>
}

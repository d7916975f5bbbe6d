package rpc_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"go-micro.dev/v4"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/logger"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"

	"calotype/kit/fault"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
)

// A go-micro service takes both ends as its Server and its Client; nothing else of it changes. Options go to the constructors:
// service.Init would put go-micro's own times in the place of theirs.
func Example_service() {
	reg := registry.NewMemoryRegistry()
	quiet := slog.New(slog.DiscardHandler)
	s, err := rpc.NewServer(rpc.ServerConfig{Log: quiet}, server.Name("greeter"), server.Address("127.0.0.1:0"), server.Registry(reg))
	if err != nil {
		log.Fatal(err)
	}
	c := rpc.NewClient(rpc.ClientConfig{Log: quiet}, client.Registry(reg))
	defer c.Close()

	ctx, stop := context.WithCancel(context.Background())
	started := make(chan struct{})
	service := micro.NewService(micro.Server(s), micro.Client(c), micro.Context(ctx), micro.HandleSignal(false),
		micro.Logger(logger.NewLogger(logger.WithLevel(logger.ErrorLevel))), micro.AfterStart(func() error { close(started); return nil }))
	if err := greeterv1.RegisterGreeterHandler(service.Server(), polite{"one"}); err != nil {
		log.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- service.Run() }()
	<-started

	out, err := greeterv1.NewGreeterService("greeter", service.Client()).Hello(ctx, &greeterv1.HelloRequest{Name: "Ada"})
	fmt.Println(out.GetMessage(), err)
	stop()
	fmt.Println(<-ended)
	// Output:
	// Hello, Ada <nil>
	// <nil>
}

// A server that has more to do than it can turns bulk calls away first. A caller that can wait is told how long.
func ExampleWithPriority() {
	reg := registry.NewMemoryRegistry()
	quiet := slog.New(slog.DiscardHandler)
	s, err := rpc.NewServer(rpc.ServerConfig{Log: quiet, Shedding: rpc.Shedding{Min: 1, Max: 1}},
		server.Name("greeter"), server.Address("127.0.0.1:0"), server.Registry(reg))
	if err != nil {
		log.Fatal(err)
	}
	busy, finish := make(chan struct{}), make(chan struct{})
	if err := greeterv1.RegisterGreeterHandler(s, &greeter{hook: func(context.Context, string) error { close(busy); <-finish; return nil }}); err != nil {
		log.Fatal(err)
	}
	if err := s.Start(); err != nil {
		log.Fatal(err)
	}
	defer func() { _ = s.Stop() }()
	c := rpc.NewClient(rpc.ClientConfig{Log: quiet}, client.Registry(reg))
	defer c.Close()
	g := greeterv1.NewGreeterService("greeter", c)

	answered := make(chan error)
	go func() {
		_, err := g.Hello(context.Background(), &greeterv1.HelloRequest{Name: "Ada"})
		answered <- err
	}()
	<-busy
	_, err = g.Hello(context.Background(), &greeterv1.HelloRequest{Name: "everybody"}, rpc.WithPriority(rpc.Bulk))
	f := fault.As(err)
	fmt.Println(f.Kind, f.Reason, f.RetryAfter > 400*time.Millisecond)
	close(finish)
	fmt.Println(<-answered)
	// Output:
	// unavailable OVERLOADED true
	// <nil>
}

// Package rpc proves kit/rpc where it has to hold: nodes that are processes of their own, found in a real Consul or etcd, that are killed,
// frozen, restarted and overloaded under load. Each test prints its figures.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go-micro.dev/v4/server"

	"calotype/kit/boot"
	"calotype/kit/fault"
	greeterv1 "calotype/proto/greeter/v1"
	imagev1 "calotype/proto/image/v1"
)

// asNode in the environment makes the test's binary a node.
const asNode = "RPC_TEST_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(asNode) == "" {
		os.Exit(m.Run())
	}
	boot.Main(service, run)
}

func run(ctx context.Context, args []string) (err error) {
	cfg := boot.DefaultConfig()
	if err := boot.Configure(service, &cfg, args); err != nil {
		return err
	}
	host, err := boot.NewHost(service, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	n := &node{id: os.Getenv(asNode), slots: make(chan struct{}, 4)}
	if n.book, err = os.OpenFile(os.Getenv("RPC_TEST_BOOK"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	if next := os.Getenv("RPC_TEST_NEXT"); next != "" {
		n.next = greeterv1.NewGreeterService(next, host.Client())
	}
	svc, err := host.NewService(os.Getenv("RPC_TEST_SERVICE"), cfg.Service(), func(s server.Server) error {
		return errors.Join(greeterv1.RegisterGreeterHandler(s, n), imagev1.RegisterJobsHandler(s, n))
	})
	if err != nil {
		return err
	}
	return svc.Run(ctx)
}

// node does what it is told: Hello by the name it is given, Create by writing down that it was executed.
type node struct {
	imagev1.JobsHandler
	id    string
	book  *os.File
	next  greeterv1.GreeterService
	slots chan struct{}
}

// Hello greets; named work it takes one of four slots for 40 ms, named wait it waits for its caller to leave, named relay:x it
// asks the next service x.
func (n *node) Hello(ctx context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	out.Node = &greeterv1.Node{Id: n.id}
	if rest, ok := strings.CutPrefix(in.GetName(), "relay:"); ok {
		answer, err := n.next.Hello(ctx, &greeterv1.HelloRequest{Name: rest})
		if err != nil {
			return err
		}
		out.Message = answer.GetMessage()
		return nil
	}
	switch in.GetName() {
	case "work":
		select {
		case n.slots <- struct{}{}:
			defer func() { <-n.slots }()
			return hold(ctx, 40*time.Millisecond)
		case <-ctx.Done():
			return ctx.Err()
		}
	case "left":
		deadline, _ := ctx.Deadline()
		out.Message = time.Until(deadline).String()
	case "wait":
		if err := n.note("begin"); err != nil {
			return err
		}
		<-ctx.Done()
		return errors.Join(ctx.Err(), n.note("end"))
	}
	return nil
}

func hold(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *node) Greetings(_ context.Context, in *greeterv1.GreetingsRequest, s greeterv1.Greeter_GreetingsStream) error {
	for i := range in.GetCount() {
		if err := s.Send(&greeterv1.GreetingsResponse{Number: i + 1, Node: &greeterv1.Node{Id: n.id}}); err != nil {
			return err
		}
	}
	return nil
}

// Create is not idempotent: its executions are counted. It takes 20 ms, and is counted in the middle, so that a kill finds calls in
// every state.
func (n *node) Create(ctx context.Context, in *imagev1.CreateJobRequest, out *imagev1.Job) error {
	if err := hold(ctx, 10*time.Millisecond); err != nil {
		return err
	}
	if err := n.note(in.GetImageId()); err != nil {
		return err
	}
	out.Id = n.id
	return hold(ctx, 10*time.Millisecond)
}

// note writes a line at once, so that no kill takes it back.
func (n *node) note(what string) error {
	if _, err := fmt.Fprintf(n.book, "%s %d\n", what, time.Now().UnixNano()); err != nil {
		return fault.Wrap(err, fault.Internal, "BOOK", "writing down %s", what)
	}
	return nil
}

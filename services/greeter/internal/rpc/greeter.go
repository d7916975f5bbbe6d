// Package rpc answers the greeter's calls.
package rpc

import (
	"context"
	"fmt"
	"time"

	"calotype/kit/fault"
	greeterv1 "calotype/proto/greeter/v1"
)

// The contract's limits.
const (
	maxName     = 256
	maxCount    = 1000
	maxInterval = 10_000 // milliseconds
	usualCount  = 10
)

// Greeter implements greeter.v1.Greeter for one node.
type Greeter struct {
	Node     *greeterv1.Node
	Draining <-chan struct{} // closed when streams should end; nil never is
}

// Hello greets once.
func (g *Greeter) Hello(_ context.Context, in *greeterv1.HelloRequest, out *greeterv1.HelloResponse) error {
	if f := checkName(in.GetName()); f != nil {
		return invalid(f...)
	}
	out.Message, out.Node = greeting(in.GetName()), g.Node
	return nil
}

// Greetings greets count times, an interval apart.
func (g *Greeter) Greetings(ctx context.Context, in *greeterv1.GreetingsRequest, out greeterv1.Greeter_GreetingsStream) error {
	fields := checkName(in.GetName())
	if c := in.GetCount(); c < 0 || c > maxCount {
		fields = append(fields, fault.Field{Path: "count", Message: fmt.Sprintf("%d is not within 0..%d", c, maxCount)})
	}
	if i := in.GetIntervalMs(); i < 0 || i > maxInterval {
		fields = append(fields, fault.Field{Path: "interval_ms", Message: fmt.Sprintf("%d is not within 0..%d", i, maxInterval)})
	}
	if len(fields) > 0 {
		return invalid(fields...)
	}
	count := in.GetCount()
	if count == 0 {
		count = usualCount
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for n := int32(1); n <= count; n++ {
		if err := out.Send(&greeterv1.GreetingsResponse{Message: greeting(in.GetName()), Node: g.Node, Number: n}); err != nil {
			return fmt.Errorf("sending greeting %d: %w", n, err)
		}
		if n == count || in.GetIntervalMs() == 0 {
			continue
		}
		pause.Reset(time.Duration(in.GetIntervalMs()) * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-g.Draining:
			return fault.New(fault.Unavailable, "DRAINING", "the node is leaving; %d of %d greetings were sent", n, count)
		}
	}
	return nil
}

func greeting(name string) string {
	if name == "" {
		name = "world"
	}
	return "Hello, " + name
}

func checkName(name string) []fault.Field {
	if len(name) > maxName {
		return []fault.Field{{Path: "name", Message: fmt.Sprintf("is %d bytes long; the limit is %d", len(name), maxName)}}
	}
	return nil
}

func invalid(fields ...fault.Field) error {
	e := fault.New(fault.Invalid, "BAD_GREETING", "the request is not within the limits")
	e.Fields = fields
	return e
}

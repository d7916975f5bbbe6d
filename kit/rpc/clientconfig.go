package rpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental"

	"calotype/kit/buffers"
)

// ClientConfig is what a Client needs beyond go-micro's options. Zero values take the defaults named.
type ClientConfig struct {
	Log    *slog.Logger // nil: slog.Default()
	TLS    *tls.Config  // nil: clear text
	Limits Limits       // MaxRecv default 64 MiB: servers are ours to trust, and lists can be long
	// Timeout bounds a unary call whose context has no deadline. Default 10 s.
	Timeout time.Duration
	// Attempts bounds how often one call is tried in all. Default 4.
	Attempts int
	Balance  Balance
	// Forward are metadata keys that go from a handler's request into the calls it makes, beside the tracing headers and
	// x-request-id.
	Forward []string
	// RoundRobin takes nodes in turn in the place of the less loaded of two.
	RoundRobin bool
	// Observe is told what the client does beyond calling: it must be quick. Nil: nobody counts.
	Observe func(service string, event Event)
	// GRPC is handed to grpc.NewClient after everything else.
	GRPC []grpc.DialOption
}

// Balance says how nodes are found and set aside.
type Balance struct {
	FirstList time.Duration // how long a call waits for the registry's first answer; default 1 s
	Connect   time.Duration // how long a call waits for a first connection to any node; default 1 s
	Relist    time.Duration // how often the registry is asked beside its events; default 5 s
	EjectMin  time.Duration // the first time a node is set aside; doubles; default 250 ms
	EjectMax  time.Duration // default 30 s
	// A node that owes an answer and sends nothing for Silence (default 40 ms) is asked for its health. When nothing at all
	// comes in for Patience (default 80 ms) and four times what it usually takes to answer, no call goes there until it
	// speaks again, and idempotent calls that wait there move to another node.
	Silence, Patience time.Duration
}

func (c ClientConfig) withDefaults() ClientConfig {
	c.Limits.MaxRecv = orElse(c.Limits.MaxRecv, 64<<20)
	c.Limits = c.Limits.withDefaults()
	c.Timeout = orElse(c.Timeout, 10*time.Second)
	c.Attempts = orElse(c.Attempts, 4)
	c.Balance.FirstList = orElse(c.Balance.FirstList, time.Second)
	c.Balance.Connect = orElse(c.Balance.Connect, time.Second)
	c.Balance.Relist = orElse(c.Balance.Relist, 5*time.Second)
	c.Balance.EjectMin = orElse(c.Balance.EjectMin, 250*time.Millisecond)
	c.Balance.EjectMax = orElse(c.Balance.EjectMax, 30*time.Second)
	c.Balance.Silence = orElse(c.Balance.Silence, 40*time.Millisecond)
	c.Balance.Patience = orElse(c.Balance.Patience, 80*time.Millisecond)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// dialer puts mark into the text of an error to dial: a call whose error bears it provably reached no handler, also when an
// earlier attempt of grpc-go's own left its trace on the call.
func dialer(mark string) func(ctx context.Context, addr string) (net.Conn, error) {
	d := &net.Dialer{KeepAlive: 15 * time.Second}
	return func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("%s%w", mark, err)
		}
		return conn, nil
	}
}

// callOptions are those of every call. As default options of the connections they would cost each call a list of its own.
func (c ClientConfig) callOptions() []grpc.CallOption {
	return []grpc.CallOption{grpc.MaxCallRecvMsgSize(c.Limits.MaxRecv), grpc.MaxCallSendMsgSize(c.Limits.MaxSend), grpc.ForceCodecV2(protobuf{})}
}

// dialOptions builds what connections are made with.
func (c ClientConfig) dialOptions() []grpc.DialOption {
	creds := insecure.NewCredentials()
	if c.TLS != nil {
		creds = credentials.NewTLS(c.TLS)
	}
	return append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		// Short, for a node that returns is missed; jittered, for a thousand clients miss it.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 700 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}),
		grpc.WithIdleTimeout(0),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connWindow),
		experimental.WithBufferPool(buffers.Pool),
		// Retries are this package's: two layers of them would multiply.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
	}, c.GRPC...)
}

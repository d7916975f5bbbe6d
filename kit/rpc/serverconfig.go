package rpc

import (
	"crypto/tls"
	"log/slog"
	"net"
	"runtime"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"

	"calotype/kit/buffers"
)

// ServerConfig is what a Server needs beyond go-micro's options. Zero values take the defaults named.
type ServerConfig struct {
	Listener net.Listener // where to serve; nil: NewServer listens on the address of go-micro's options
	Log      *slog.Logger // nil: slog.Default()
	TLS      *tls.Config  // nil: clear text
	Limits   Limits
	// Keepalive: after Ping without traffic the server pings a client and drops it when Timeout passes; clients may ping
	// every MinClientPing.
	Keepalive ServerKeepalive
	Shedding  Shedding
	// Observe is told of every call and stream that is turned away: it must be quick. Nil: nobody counts.
	Observe func(method string, p Priority)
	// Stop is how long go-micro's Stop waits for running calls; Drain takes its deadline from its context. Default 10 s.
	Stop time.Duration
	// GRPC is handed to grpc.NewServer after everything else.
	GRPC []grpc.ServerOption
}

// Limits bound messages, in bytes.
type Limits struct {
	MaxRecv int // default 4 MiB
	MaxSend int // default 64 MiB
}

// ServerKeepalive keeps half-dead connections from piling up.
type ServerKeepalive struct {
	Ping          time.Duration // default 30 s
	Timeout       time.Duration // default 10 s
	MinClientPing time.Duration // default 5 s
}

func (l Limits) withDefaults() Limits {
	l.MaxRecv = orElse(l.MaxRecv, 4<<20)
	l.MaxSend = orElse(l.MaxSend, 64<<20)
	return l
}

func (c ServerConfig) withDefaults() ServerConfig {
	c.Limits = c.Limits.withDefaults()
	c.Shedding = c.Shedding.withDefaults()
	c.Keepalive.Ping = orElse(c.Keepalive.Ping, 30*time.Second)
	c.Keepalive.Timeout = orElse(c.Keepalive.Timeout, 10*time.Second)
	c.Keepalive.MinClientPing = orElse(c.Keepalive.MinClientPing, 5*time.Second)
	c.Stop = orElse(c.Stop, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Windows bound what a slow reader leaves in memory: one stream's unread bytes, and one connection's in flight.
const (
	streamWindow = 1 << 20
	connWindow   = 8 << 20
)

func (c ServerConfig) grpcOptions() []grpc.ServerOption {
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(c.Limits.MaxRecv),
		grpc.MaxSendMsgSize(c.Limits.MaxSend),
		// Fixed windows: grpc-go else sends a ping with nearly every call to estimate them.
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		experimental.BufferPool(buffers.Pool),
		grpc.ForceServerCodecV2(protobuf{}),
		// Enough for what runs at once: a goroutine made for one call spends a tenth of the call on growing its stack.
		grpc.NumStreamWorkers(uint32(min(32*runtime.GOMAXPROCS(0), 512))),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: c.Keepalive.Ping, Timeout: c.Keepalive.Timeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: c.Keepalive.MinClientPing, PermitWithoutStream: true}),
	}
	if c.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(c.TLS)))
	}
	return append(opts, c.GRPC...)
}

func orElse[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

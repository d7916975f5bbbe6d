// Package relay passes gRPC calls on to the nodes that serve them, message by message and unread, with kit/rpc's balancing, retries
// and traces. Messages go on as fast as the slower side takes them; who leaves is missed on the other side at once.
package relay

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"go-micro.dev/v4/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"calotype/gateway/internal/catalog"
	"calotype/gateway/internal/problem"
	"calotype/gateway/internal/wire"
	"calotype/kit/fault"
	"calotype/kit/rpc"
)

// Client calls services by their names in the registry: *rpc.Client.
type Client interface {
	NewRequest(service, endpoint string, body any, opts ...client.RequestOption) client.Request
	Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error
	NewStream(ctx context.Context, service string, desc *grpc.StreamDesc, method string, opts ...client.CallOption) (grpc.ClientStream, error)
}

// Config bounds calls and says what passes beside messages.
type Config struct {
	MaxMessage int           // of what callers send
	MaxCalls   int           // that run at once
	Timeout    time.Duration // of a unary call whose caller says none
	Patience   time.Duration // how long a caller may take no byte
	// Forward are the keys of metadata that pass, both ways, beside those that gRPC itself needs and idempotency-key.
	Forward []string
	// Leaving ends when running calls can no longer be waited for.
	Leaving context.Context
	// Done is told of each call that was made, under a method's name or "" for one that does not exist. Nil: nobody counts.
	Done func(method string, code codes.Code, took time.Duration)
}

// Handler serves gRPC requests.
type Handler struct {
	cfg     Config
	forward []string
	catalog *catalog.Catalog
	client  Client
	own     *own
	log     *slog.Logger
	running atomic.Int64
}

// New makes a handler. Health is asked how the gateway itself is. Close ends the calls that it answers itself.
func New(cfg Config, c *catalog.Catalog, via Client, health Health, log *slog.Logger) (*Handler, error) {
	h := &Handler{cfg: cfg, catalog: c, client: via, log: log, forward: []string{rpc.IdempotencyKey, "grpc-retry-pushback-ms"}}
	for _, name := range cfg.Forward {
		h.forward = append(h.forward, strings.ToLower(name))
	}
	var err error
	h.own, err = newOwn(c, health)
	return h, err
}

// Close ends the calls that the gateway answers itself.
func (h *Handler) Close() { h.own.close() }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		problem.Write(w, r, fault.New(fault.Invalid, "GRPC_NEEDS_HTTP2",
			"gRPC needs HTTP/2, and this request came by %s: speak HTTP/2 with prior knowledge, or TLS with ALPN where the server has it, or REST", r.Proto))
		return
	}
	began := time.Now()
	name := ""
	call, err := wire.New(w, r, wire.Config{MaxMessage: h.cfg.MaxMessage, Patience: h.cfg.Patience})
	var trailer metadata.MD
	if err == nil {
		name, trailer, err = h.guarded(call, r)
	}
	if err != nil {
		problem.Note(r.Context(), err)
	}
	st := call.End(explained(err), trailer)
	if h.cfg.Done != nil {
		h.cfg.Done(name, st.Code(), time.Since(began))
	}
}

// guarded makes a panic one failed call.
func (h *Handler) guarded(call *wire.Call, r *http.Request) (name string, trailer metadata.MD, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(r.Context(), "a handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "internal error")
		}
	}()
	if n := h.running.Add(1); n > int64(h.cfg.MaxCalls) {
		h.running.Add(-1)
		return "", nil, &fault.Error{Kind: fault.Unavailable, Reason: rpc.ReasonOverloaded, RetryAfter: time.Second,
			Message: fmt.Sprintf("%d gRPC calls run here, which are as many as may", n-1)}
	}
	defer h.running.Add(-1)
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(h.cfg.Leaving, func() { cancel(errLeaving) })()

	var to target
	if to.method, err = h.own.find(r.URL.Path); to.method != nil {
		to.own = h.own.conn
	} else if err == nil {
		to.method, err = h.catalog.Find(ctx, r.URL.Path)
	}
	if err != nil {
		return "", nil, err
	}
	timeout, said, err := wire.Timeout(r)
	if err != nil {
		return to.method.Full, nil, err
	}
	if !said && to.method.Unary {
		timeout, said = h.cfg.Timeout, true
	}
	if said {
		// A little is kept, for the caller to be told whose answer did not come.
		within, stop := context.WithTimeout(ctx, timeout-min(timeout/20, 20*time.Millisecond))
		defer stop()
		ctx = within
	}
	ctx, to.opts = h.outgoing(ctx, r)
	trailer, err = h.pass(ctx, cancel, call, to)
	if mine := context.Cause(ctx); err != nil && mine != nil && fault.As(mine) != nil {
		err = mine
	}
	return to.method.Full, h.allowed(trailer), err
}

var errLeaving = &fault.Error{Kind: fault.Unavailable, Reason: "DRAINING", Message: "the gateway is leaving", RetryAfter: 100 * time.Millisecond}

// outgoing puts the metadata that may pass into the call, and gives the options that follow from it.
func (h *Handler) outgoing(ctx context.Context, r *http.Request) (context.Context, []client.CallOption) {
	md := metadata.MD{}
	for _, key := range h.forward {
		if values := wire.Values(r.Header, key); len(values) > 0 {
			md[key] = values
		}
	}
	opts := []grpc.CallOption{grpc.ForceCodecV2(passing{})}
	if sub := wire.Subtype(r); sub != "" && sub != "proto" {
		opts = append(opts, grpc.CallContentSubtype(sub))
	}
	more := []client.CallOption{rpc.WithGRPC(opts...)}
	if len(md[rpc.IdempotencyKey]) == 1 {
		more = append(more, rpc.WithIdempotent())
	}
	if len(md) > 0 {
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	return ctx, more
}

// allowed is what of a node's metadata the caller may see.
func (h *Handler) allowed(md metadata.MD) metadata.MD {
	if len(md) == 0 {
		return nil
	}
	out := metadata.MD{}
	for _, key := range h.forward {
		if v := md[key]; len(v) > 0 {
			out[key] = v
		}
	}
	return out
}

// explained adds when to come again to an answer of UNAVAILABLE that tells nothing.
func explained(err error) error {
	if err == nil {
		return nil
	}
	st := rpc.Status(err)
	if st.Code() != codes.Unavailable || len(st.Proto().GetDetails()) > 0 {
		return err
	}
	return &fault.Error{Kind: fault.Unavailable, Message: st.Message(), RetryAfter: time.Second}
}

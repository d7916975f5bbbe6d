package logging

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/metadata"
	"go-micro.dev/v4/server"
	grpcmeta "google.golang.org/grpc/metadata"
)

// RequestHeader carries the request id between client and gateway, and between services.
const RequestHeader = "X-Request-Id"

// HTTP gives every request an id, the caller's own when it is well-formed, and answers with it in the header. The line that tells of a
// request is for its server to write, which knows more of it.
func HTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(RequestHeader)
		if !wellFormed(id) {
			id = uuid.NewString()
		}
		w.Header().Set(RequestHeader, id)
		next.ServeHTTP(w, r.WithContext(With(r.Context(), slog.String(RequestID, id))))
	})
}

// wellFormed keeps what a stranger sends short and printable, for it ends in headers and logs.
func wellFormed(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// NewClientWrapper sends the context's request id along with every call.
func NewClientWrapper() client.Wrapper {
	return func(c client.Client) client.Client { return requestClient{c} }
}

type requestClient struct{ client.Client }

func (c requestClient) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	return c.Client.Call(outgoing(ctx), req, rsp, opts...)
}

func (c requestClient) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	return c.Client.Stream(outgoing(ctx), req, opts...)
}

func outgoing(ctx context.Context) context.Context {
	if id := Request(ctx); id != "" {
		return metadata.Set(ctx, RequestHeader, id)
	}
	return ctx
}

// Incoming takes the request id that came with a call into the context.
func Incoming(ctx context.Context) context.Context {
	md, _ := grpcmeta.FromIncomingContext(ctx)
	if v := md.Get(RequestHeader); len(v) == 1 && wellFormed(v[0]) {
		return With(ctx, slog.String(RequestID, v[0]))
	}
	return ctx
}

// NewHandlerWrapper logs each call that ends, at debug. What kit/rpc finds to be our fault it logs itself.
func NewHandlerWrapper(l *slog.Logger) server.HandlerWrapper {
	return func(next server.HandlerFunc) server.HandlerFunc {
		return func(ctx context.Context, req server.Request, rsp any) error {
			if !l.Enabled(ctx, slog.LevelDebug) {
				return next(ctx, req, rsp)
			}
			start := time.Now()
			err := next(ctx, req, rsp)
			took := time.Since(start)
			as := []any{"event.duration", int64(took), "took", took.Round(time.Microsecond)}
			if err != nil {
				as = append(as, "error", err)
			}
			l.DebugContext(ctx, "answered "+req.Method(), as...)
			return err
		}
	}
}

package edge

import (
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"calotype/gateway/internal/problem"
	"calotype/gateway/internal/wire"
)

// access writes one line for each request when it has ended, with the error it ended with, where there was one. The request's and
// the trace's ids are in its context.
func access(cfg Config, log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, failure := problem.WithNote(r.Context())
		r = r.WithContext(ctx)
		a := &answer{ResponseWriter: w}
		start := time.Now()
		defer func() {
			route := cfg.Route(r)
			level := slog.LevelInfo
			if route == "" || slices.Contains(cfg.Quiet, route) {
				level = slog.LevelDebug // strangers' guesses, and what machines ask every few seconds
			}
			attrs := []slog.Attr{
				slog.String("http.request.method", r.Method),
				slog.String("url.scheme", scheme(r)),
				slog.String("url.path", r.URL.Path),
				slog.String("http.route", route),
				slog.Int("http.response.status_code", a.code()),
				slog.Int64("http.response.body.bytes", a.bytes),
				slog.String("client.address", client(r)),
				slog.String("user_agent.original", r.UserAgent()),
				slog.Int64("event.duration", int64(time.Since(start))),
			}
			if code, ok := wire.Ended(a.Header()); ok {
				attrs = append(attrs, slog.String("rpc.grpc.status_code", code.String()))
			}
			if *failure != nil {
				attrs = append(attrs, slog.Any("error", *failure))
			}
			log.LogAttrs(r.Context(), level, "request", attrs...)
		}()
		next.ServeHTTP(a, r)
	})
}

// client is who asked: a proxy tells an address without a port.
func client(r *http.Request) string {
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil && port == "0" {
		return host
	}
	return r.RemoteAddr
}

// answer remembers what went out.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// code is what the client was told, by net/http itself where the handler said nothing.
func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

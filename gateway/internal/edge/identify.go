package edge

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"calotype/gateway/internal/problem"
	"calotype/kit/logging"
)

// identify gives every request an id, the caller's own where it is sane, and writes one line when it has ended.
func identify(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(problem.HeaderRequestID)
		if !sane(id) {
			id = uuid.NewString()
		}
		w.Header().Set(problem.HeaderRequestID, id)
		ctx := logging.With(r.Context(), slog.String(logging.RequestID, id))
		ctx, story := withStory(ctx)
		ctx, failure := problem.WithNote(ctx)
		r = r.WithContext(ctx)
		a := &answer{ResponseWriter: w}
		start := time.Now()
		defer func() { access(log, r, a, story, *failure, time.Since(start)) }()
		next.ServeHTTP(a, r)
	})
}

// sane keeps what a stranger sends short and printable, for it ends in headers and logs.
func sane(id string) bool {
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

func access(log *slog.Logger, r *http.Request, a *answer, s *story, failure error, took time.Duration) {
	level := slog.LevelInfo
	switch status := a.code(); {
	case status >= 500:
		level = slog.LevelError
	case s.route == "" || s.quiet:
		level = slog.LevelDebug // probes and strangers' guesses
	}
	attrs := []slog.Attr{
		slog.String("http.request.method", r.Method),
		slog.String("url.path", r.URL.Path),
		slog.String("http.route", s.route),
		slog.Int("http.response.status_code", a.code()),
		slog.Int64("http.response.body.bytes", a.bytes),
		slog.String("client.address", r.RemoteAddr),
		slog.String("user_agent.original", r.UserAgent()),
		slog.Int64("event.duration", int64(took)),
	}
	if trace := a.Header().Get(problem.HeaderTraceID); trace != "" {
		attrs = append(attrs, slog.String(logging.TraceID, trace))
	}
	if failure != nil {
		attrs = append(attrs, slog.Any("error", failure))
	}
	log.LogAttrs(r.Context(), level, "request", attrs...)
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

// code is what the client was told. A handler that wrote nothing says 200, unless it panicked, which guard sees to.
func (a *answer) code() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"go-micro.dev/v4/metadata"

	"calotype/gateway/internal/problem"
)

// guard makes a panic one failed request: a problem where nothing was written yet, else a broken answer.
func guard(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w}
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			log.ErrorContext(r.Context(), "a handler panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if a.status != 0 {
				panic(http.ErrAbortHandler)
			}
			problem.Write(a, r, fmt.Errorf("panic: %v", p))
		}()
		next.ServeHTTP(a, r)
	})
}

// forward hands the listed headers on as RPC metadata. The context carries no other, whatever the client sent.
func forward(names []string, next http.Handler) http.Handler {
	if len(names) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		md := metadata.Metadata{}
		for _, name := range names {
			if v := r.Header.Get(name); v != "" && printable(v) {
				md[name] = v
			}
		}
		if len(md) > 0 {
			r = r.WithContext(metadata.MergeContext(r.Context(), md, true))
		}
		next.ServeHTTP(w, r)
	})
}

// printable reports whether gRPC can carry v as it is.
func printable(v string) bool {
	for _, c := range []byte(v) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

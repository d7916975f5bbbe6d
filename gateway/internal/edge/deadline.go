package edge

import (
	"context"
	"net/http"
	"time"
)

// Deadline gives a route that does not stream its time: for reading the request and for what is behind it.
func Deadline(d time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), d)
		defer cancel()
		// A writer that has no deadlines is a test's. Should the read deadline pass while the handler works, the server ends the
		// request's context, as this one's end does anyway.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(d + time.Second))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

package logging

import (
	"context"
	"log/slog"
	"slices"
)

// The names of the ids that tie a request's lines together.
const (
	TraceID   = "trace.id"
	SpanID    = "span.id"
	RequestID = "http.request.id"
	JobID     = "calotype.job.id"
	ImageID   = "calotype.image.id"
)

type contextKey struct{}

// With makes every line logged with the context carry the attributes. A later one of the same name replaces the earlier.
func With(ctx context.Context, as ...slog.Attr) context.Context {
	have := slices.Clone(attrs(ctx))
	for _, a := range as {
		if i := slices.IndexFunc(have, func(h slog.Attr) bool { return h.Key == a.Key }); i >= 0 {
			have[i] = a
		} else {
			have = append(have, a)
		}
	}
	return context.WithValue(ctx, contextKey{}, have)
}

// WithJob marks a context's lines with a job's id.
func WithJob(ctx context.Context, id string) context.Context {
	return With(ctx, slog.String(JobID, id))
}

// Request gives the request id of a context, or "".
func Request(ctx context.Context) string { return value(ctx, RequestID) }

// Trace gives the trace id of a context, or "".
func Trace(ctx context.Context) string { return value(ctx, TraceID) }

func value(ctx context.Context, key string) string {
	for _, a := range attrs(ctx) {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

func attrs(ctx context.Context) []slog.Attr {
	as, _ := ctx.Value(contextKey{}).([]slog.Attr)
	return as
}

// Package problem answers errors as application/problem+json (RFC 9457). It is the one place where a kind of error becomes an
// HTTP status; it knows no route.
package problem

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"

	"calotype/kit/fault"
)

// ContentType is the media type of every error answer.
const ContentType = "application/problem+json"

// The headers under which the edge has already told the answer's identity when an error is written.
const (
	HeaderRequestID = "X-Request-Id"
	HeaderTraceID   = "X-Trace-Id"
)

// Document is an error as clients see it. Reason is stable and made for machines; Detail and the violations are for people.
type Document struct {
	Type      string      `json:"type"`
	Title     string      `json:"title"`
	Status    int         `json:"status"`
	Detail    string      `json:"detail,omitempty"`
	Reason    string      `json:"reason"`
	Errors    []Violation `json:"errors,omitempty"`
	RequestID string      `json:"request_id,omitempty"`
	TraceID   string      `json:"trace_id,omitempty"`
}

// Violation is one thing wrong with a request, at a path written as the caller wrote it.
type Violation struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// Of describes err, which is not nil.
func Of(err error) Document {
	row, reason := lookup(err)
	d := Document{
		Type:   "urn:calotype:problem:" + strings.ReplaceAll(strings.ToLower(reason), "_", "-"),
		Title:  row.title,
		Status: row.status,
		Reason: reason,
		Detail: row.detail,
	}
	e := fault.As(err)
	if e == nil {
		return d
	}
	// Where the fault may be the machinery's own, a message without a reason is a library's, and may name addresses and paths.
	if e.Message != "" && (row.detail == "" || e.Reason != "") {
		d.Detail = e.Message
	}
	for _, f := range e.Fields {
		d.Errors = append(d.Errors, Violation{Path: f.Path, Message: f.Message})
	}
	return d
}

// Write answers r with err. Nothing may have been written before; what the headers told about the answer that did not come is
// taken back.
func Write(w http.ResponseWriter, r *http.Request, err error) {
	Note(r.Context(), err)
	d := Of(err)
	h := w.Header()
	d.RequestID, d.TraceID = h.Get(HeaderRequestID), h.Get(HeaderTraceID)
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "ETag", "Last-Modified", "Accept-Ranges", "Transfer-Encoding", "X-Accel-Expires"} {
		h.Del(name)
	}
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if s := retryAfter(err, d.Status); s > 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	w.WriteHeader(d.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(d) // the caller has left, and the access log tells
	}
}

// retryAfter gives whole seconds; 0 means that trying again is not worth it.
func retryAfter(err error, status int) int {
	if e := fault.As(err); e != nil && e.RetryAfter > 0 {
		return int(math.Ceil(e.RetryAfter.Seconds()))
	}
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		return 1
	}
	return 0
}

type noteKey struct{}

// WithNote gives a context in which the error that a handler answers with, or meets after it began to answer, is kept for the
// access log. Only the goroutine that serves the request may note.
func WithNote(ctx context.Context) (context.Context, *error) {
	n := new(error)
	return context.WithValue(ctx, noteKey{}, n), n
}

// Note keeps the error with which an answer ends, for the access log.
func Note(ctx context.Context, err error) {
	if n, ok := ctx.Value(noteKey{}).(*error); ok {
		*n = err
	}
}

// Abort breaks off an answer that has begun, so that the client sees it cut and does not take it for whole.
func Abort(r *http.Request, err error) {
	Note(r.Context(), err)
	panic(http.ErrAbortHandler)
}

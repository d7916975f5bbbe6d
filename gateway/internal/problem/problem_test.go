package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
)

func TestEveryKindAndReasonHasItsStatus(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		reason string
	}{
		{errors.New("secret path /etc"), 500, "INTERNAL"},
		{fault.New(fault.Invalid, "", "x"), 400, "INVALID"},
		{fault.New(fault.NotFound, "", "x"), 404, "NOT_FOUND"},
		{fault.New(fault.NotFound, "VARIANT_NOT_READY", "x"), 404, "VARIANT_NOT_READY"},
		{fault.New(fault.Conflict, "JOB_ENDED", "x"), 409, "JOB_ENDED"},
		{fault.New(fault.Exhausted, "", "x"), 429, "EXHAUSTED"},
		{fault.New(fault.Unauthenticated, "", "x"), 401, "UNAUTHENTICATED"},
		{fault.New(fault.Denied, "", "x"), 403, "DENIED"},
		{fault.New(fault.Unavailable, "", "x"), 503, "UNAVAILABLE"},
		{fault.New(fault.Deadline, "", "x"), 504, "DEADLINE"},
		{fault.New(fault.Canceled, "", "x"), 499, "CANCELED"},
		{fault.New(fault.Invalid, "UNSUPPORTED_FORMAT", "x"), 415, "UNSUPPORTED_FORMAT"},
		{fault.New(fault.Invalid, "TOO_LARGE", "x"), 413, "TOO_LARGE"},
		{fault.New(fault.Invalid, "IMAGE_TOO_LARGE", "x"), 413, "IMAGE_TOO_LARGE"},
		{fault.New(fault.Invalid, "BROKEN_IMAGE", "x"), 422, "BROKEN_IMAGE"},
		{fault.New(fault.Conflict, "IDEMPOTENCY_KEY_REUSED", "x"), 422, "IDEMPOTENCY_KEY_REUSED"},
		{fault.New(fault.Invalid, "OUT_OF_RANGE", "x"), 416, "OUT_OF_RANGE"},
		{fault.New(fault.Exhausted, "STORAGE_FULL", "x"), 507, "STORAGE_FULL"},
		{fault.New(fault.Unavailable, "", "dial tcp 10.1.2.3: secret"), 503, "UNAVAILABLE"},
		{fault.New(fault.Unavailable, "WORKERS_BUSY", "every worker is busy"), 503, "WORKERS_BUSY"},
		{fmt.Errorf("reading: %w", fault.New(fault.NotFound, "", "no image")), 404, "NOT_FOUND"},
	} {
		d := problem.Of(c.err)
		if d.Status != c.status || d.Reason != c.reason || d.Title == "" || d.Detail == "" {
			t.Errorf("Of(%v) = %+v, want status %d and reason %s", c.err, d, c.status, c.reason)
		}
		if strings.Contains(d.Detail, "secret") {
			t.Errorf("the detail gives away an unclassified error: %q", d.Detail)
		}
	}
}

func TestWriteTellsAllAndTakesBackWhatDidNotCome(t *testing.T) {
	r := httptest.NewRequest("GET", "/x", nil)
	ctx, note := problem.WithNote(r.Context())
	w := httptest.NewRecorder()
	w.Header().Set(problem.HeaderRequestID, "req-1")
	w.Header().Set(problem.HeaderTraceID, "abc")
	w.Header().Set("ETag", `"v"`)
	w.Header().Set("Cache-Control", "public, max-age=31536000")
	err := fault.New(fault.Unavailable, "WORKERS_BUSY", "every worker is busy")
	err.RetryAfter = 1200 * time.Millisecond
	err.Fields = []fault.Field{{Path: "variants[0].name", Message: "is empty"}}
	problem.Write(w, r.WithContext(ctx), err)

	var d problem.Document
	if e := json.Unmarshal(w.Body.Bytes(), &d); e != nil {
		t.Fatal(e)
	}
	if w.Code != http.StatusServiceUnavailable || d.Status != w.Code || d.RequestID != "req-1" || d.TraceID != "abc" || d.Detail != "every worker is busy" ||
		len(d.Errors) != 1 || d.Errors[0].Path != "variants[0].name" || d.Type != "urn:calotype:problem:workers-busy" {
		t.Errorf("got %d %+v", w.Code, d)
	}
	if h := w.Header(); h.Get("ETag") != "" || h.Get("Cache-Control") != "no-store" || h.Get("Retry-After") != "2" || h.Get("Content-Type") != "application/problem+json" {
		t.Errorf("headers %v", h)
	}
	if !errors.Is(*note, err) {
		t.Errorf("the access log is not told: %v", *note)
	}
}

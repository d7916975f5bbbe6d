//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"testing"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
)

func answerOf(r *http.Response, body []byte) caller.Answer {
	return caller.Answer{Status: r.StatusCode, Proto: r.Proto, Header: r.Header, Body: body}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// TestOneStory follows an upload's request id and trace from the caller through Nginx and the queue to the worker's report.
func TestOneStory(t *testing.T) {
	c := front(t)
	trace, id := random(16), "e2e-"+random(8)
	header := http.Header{"Traceparent": {"00-" + trace + "-" + random(8) + "-01"}, "X-Request-Id": {id}}
	unseen := append(picture(t, "photo.jpg"), unique()...) // in no worker's memory: storage is asked for it
	a, err := c.Send(within(t, patience), http.MethodPost, "/v1/images?preset=thumb", header, bytes.NewReader(unseen))
	if err != nil {
		t.Fatal(err)
	}
	made := read(t, a, http.StatusCreated, &imagev1.CreateImageResponse{})
	if a.Header.Get("X-Request-Id") != id || a.Header.Get("X-Trace-Id") != trace {
		t.Errorf("request %s of trace %s is answered as %s of %s", id, trace, a.Header.Get("X-Request-Id"), a.Header.Get("X-Trace-Id"))
	}
	if job := ended(t, c, made.Job.Id); job.State != imagev1.Job_SUCCEEDED {
		t.Fatalf("the job ended %v: %v", job.State, job.Failure)
	}
	jaeger := caller.New(env("E2E_JAEGER", "http://127.0.0.1:16686"))
	eventually(t, "Jaeger has every hop of trace "+trace, func(ctx context.Context) error { return jaeger.Traced(ctx, trace) })
}

// TestNginxBeginsTheStory looks at what a caller gets who brings no ids.
func TestNginxBeginsTheStory(t *testing.T) {
	c := front(t)
	seen := map[string]bool{}
	for range 10 {
		a := get(t, c, "/v1/images/img_none")
		id := a.Header.Get("X-Request-Id")
		if len(id) < 8 || seen[id] || a.Problem().RequestID != id {
			t.Errorf("request %q, %v", id, a)
		}
		seen[id] = true
		if trace := a.Header.Get("X-Trace-Id"); len(trace) < 16 {
			t.Errorf("trace %q", trace)
		}
	}
}

package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"calotype/cmd/calotype/internal/rest"
	imagev1 "calotype/proto/image/v1"
)

// gateway is a server that answers as the test's handler says; the real gateway is met in test/e2e.
func gateway(t *testing.T, h http.HandlerFunc) *rest.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := rest.New(s.URL, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cat.jpg")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestUploadIsSentAgainWithItsKey(t *testing.T) {
	var keys []string
	c := gateway(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "pixels" || r.URL.Query().Get("filename") != "cat.jpg" || r.URL.Query().Get("preset") != "web" {
			t.Errorf("got %q with %v", body, r.URL)
		}
		if keys = append(keys, r.Header.Get("Idempotency-Key")); len(keys) < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"image":{"id":"img_1","a_field_of_tomorrow":1},"job":{"id":"job_1","state":"QUEUED"}}`)
	})
	made, err := c.Upload(t.Context(), rest.Upload{Path: file(t, "pixels"), Preset: "web"})
	if err != nil || made.Image.Id != "img_1" || made.Job.State != imagev1.Job_QUEUED {
		t.Fatalf("got %v, %v", made, err)
	}
	if len(keys) != 3 || keys[0] == "" || keys[0] != keys[1] || keys[1] != keys[2] {
		t.Errorf("keys were %q; one key must go with every try", keys)
	}
}

func TestProblemIsToldWhole(t *testing.T) {
	c := gateway(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"title":"Bad Request","status":400,"detail":"the recipe is wrong","reason":"BAD_RECIPE","request_id":"r1","errors":[{"path":"variants[0].name","message":"is empty"}]}`)
	})
	_, err := c.Upload(t.Context(), rest.Upload{Path: file(t, "x")})
	var p *rest.Problem
	if !errors.As(err, &p) || p.Reason != "BAD_RECIPE" {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"the recipe is wrong", "variants[0].name: is empty", "request r1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

func TestWatchTakesUpWhereItBroke(t *testing.T) {
	var connections atomic.Int32
	c := gateway(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			state := "RUNNING"
			if connections.Load() > 1 {
				state = "SUCCEEDED"
			}
			fmt.Fprintf(w, `{"id":"job_1","state":%q}`, state)
			return
		}
		if connections.Add(1) == 1 {
			fmt.Fprint(w, ": hello\n\nid: 1\nevent: queued\ndata: {\"sequence\":\"1\",\"state\":\"QUEUED\"}\n\nid: 2\ndata: {\"sequence\":\"2\",\"state\":\"RUNNING\"}\n\nid: 3\ndata: {\"seq")
			return
		}
		if got := r.Header.Get("Last-Event-ID"); got != "2" {
			t.Errorf("resumed after %q, want 2", got)
		}
		fmt.Fprint(w, "id: 3\ndata: {\"sequence\":\"3\",\"state\":\"SUCCEEDED\"}\n\n")
	})
	var seen []int64
	job, err := c.Watch(t.Context(), "job_1", func(e *imagev1.JobEvent) { seen = append(seen, e.Sequence) })
	if err != nil || job.State != imagev1.Job_SUCCEEDED {
		t.Fatalf("got %v, %v", job, err)
	}
	if fmt.Sprint(seen) != "[1 2 3]" {
		t.Errorf("saw events %v", seen)
	}
}

func TestDownloadLeavesNothingHalf(t *testing.T) {
	c := gateway(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "not what was made") })
	to := filepath.Join(t.TempDir(), "prints", "cat-thumb.webp")
	if _, err := c.Download(t.Context(), "/x", to, strings.Repeat("0", 64)); err == nil {
		t.Fatal("a file with the wrong sha256 was taken")
	}
	left, err := os.ReadDir(filepath.Dir(to))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if n, err := c.Download(t.Context(), "/x", to, ""); err != nil || n != int64(len("not what was made")) {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c, err := rest.New(address, "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := c.Job(ctx, "job_1"); !errors.Is(err, rest.ErrUnreachable) || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v", err)
	}
}

func TestServerAddresses(t *testing.T) {
	for in, want := range map[string]string{"example.org:8080": "http://example.org:8080", "https://example.org/": "https://example.org", "ftp://example.org": "", "http://": ""} {
		c, err := rest.New(in, "test")
		if (err != nil) != (want == "") || err == nil && c.Server() != want {
			t.Errorf("New(%q) = %v, %v; want %q", in, c, err, want)
		}
	}
}

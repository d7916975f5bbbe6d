package edge_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"calotype/gateway/internal/edge"
	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
)

func serve(t *testing.T, log io.Writer, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	cfg := edge.Config{MaxURL: 1000, Quiet: []string{"/quiet"}, Route: func(r *http.Request) string { return strings.TrimSuffix(r.URL.Path, "/1") }}
	wrapped, err := edge.Wrap(cfg, slog.New(slog.NewJSONHandler(log, nil)), h)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(wrapped)
	t.Cleanup(srv.Close)
	return srv
}

// lines gives what was logged once the server has ended.
func lines(t *testing.T, srv *httptest.Server, log *bytes.Buffer) []map[string]any {
	t.Helper()
	srv.Close()
	var all []map[string]any
	for line := range strings.Lines(log.String()) {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func TestAPanicIsOneFailedRequest(t *testing.T) {
	var log bytes.Buffer
	srv := serve(t, &log, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			w.WriteHeader(200)
			_, _ = w.Write(make([]byte, 100_000))
		}
		panic("secret thought")
	})
	rsp, err := srv.Client().Get(srv.URL + "/early")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(rsp.Body)
	rsp.Body.Close()
	var d problem.Document
	if err := json.Unmarshal(body, &d); err != nil || rsp.StatusCode != 500 || d.Reason != "INTERNAL" || strings.Contains(string(body), "secret") {
		t.Errorf("got %d %s", rsp.StatusCode, body)
	}
	if rsp, err = srv.Client().Get(srv.URL + "/late"); err == nil {
		if _, err = io.ReadAll(rsp.Body); err == nil {
			t.Error("an answer that broke off looks whole")
		}
		rsp.Body.Close()
	}
	panics := 0
	for _, l := range lines(t, srv, &log) {
		if l["msg"] == "a handler panicked" && l["panic"] == "secret thought" {
			panics++
		}
	}
	if panics != 2 {
		t.Errorf("%d panics were logged", panics)
	}
}

func TestOneLineForEachRequest(t *testing.T) {
	var log bytes.Buffer
	srv := serve(t, &log, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/things/1":
			problem.Write(w, r, fault.Wrap(io.ErrClosedPipe, fault.Unavailable, "AWAY", "it is away"))
		default:
			_, _ = w.Write([]byte("hello"))
		}
	})
	for _, path := range []string{"/plain", "/things/1", "/quiet"} {
		rsp, err := srv.Client().Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		rsp.Body.Close()
	}
	got := lines(t, srv, &log)
	if len(got) != 2 {
		t.Fatalf("%d lines for two requests that are worth one", len(got))
	}
	if l := got[0]; l["http.route"] != "/plain" || l["http.response.status_code"] != 200.0 || l["http.response.body.bytes"] != 5.0 || l["error"] != nil {
		t.Errorf("line %v", l)
	}
	if l := got[1]; l["http.route"] != "/things" || l["http.response.status_code"] != 503.0 || !strings.Contains(l["error"].(string), io.ErrClosedPipe.Error()) {
		t.Errorf("line %v", l)
	}
}

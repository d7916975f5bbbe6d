package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// echo answers with the headers that came.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", "the gateway's own")
	_ = json.NewEncoder(w).Encode(r.Header)
}

func TestEveryRequestHasAnIDAndATrace(t *testing.T) {
	g := newGateway(t, echo)
	e := start(t, []string{g.addr})
	sent := func(a answer) http.Header {
		t.Helper()
		h := http.Header{}
		if err := json.Unmarshal([]byte(a.body), &h); err != nil {
			t.Fatal(err)
		}
		return h
	}
	made := regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-01$`)

	a := e.get("/v1/x")
	h, id := sent(a), a.Header.Get("X-Request-Id")
	m := made.FindStringSubmatch(h.Get("Traceparent"))
	if len(a.Header.Values("X-Request-Id")) != 1 || len(id) != 32 || h.Get("X-Request-Id") != id || m == nil || m[1] != a.Header.Get("X-Trace-Id") {
		t.Errorf("nginx began %v and told %v", h, a.Header)
	}
	line := e.logged(id)
	if line["trace.id"] != m[1] || line["url.path"] != "/v1/x" || line["http.request.method"] != "GET" || line["http.response.status_code"] != 200.0 ||
		line["client.address"] != "127.0.0.1" || line["event.dataset"] != "nginx.access" || line["calotype.upstream.status"] != "200" {
		t.Errorf("the log says %v", line)
	}
	if at, err := time.Parse("2006-01-02T15:04:05.000Z07:00", fmt.Sprint(line["@timestamp"])); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("it was at %v: %v", line["@timestamp"], err)
	}
	if d, ok := line["event.duration"].(float64); !ok || d < 0 || d > 60e9 {
		t.Errorf("it took %v ns", line["event.duration"])
	}

	const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	a = e.get("/v1/x", "X-Request-Id", "mine-is.this_1", "Traceparent", given, "Tracestate", "a=b")
	if h := sent(a); a.Header.Get("X-Request-Id") != "mine-is.this_1" || h.Get("X-Request-Id") != "mine-is.this_1" || h.Get("Traceparent") != given ||
		h.Get("Tracestate") != "a=b" || a.Header.Get("X-Trace-Id") != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the client's own became %v, and %v", h, a.Header)
	}
	for _, bad := range []string{"short", strings.Repeat("x", 65), `with "quotes"`, "white space", "ümläut-ümläut"} {
		if a := e.get("/v1/x", "X-Request-Id", bad); len(a.Header.Get("X-Request-Id")) != 32 {
			t.Errorf("%q is taken for an id", bad)
		}
	}
	for _, bad := range []string{"00-00000000000000000000000000000000-b7ad6b7169203331-00", given + "-more", strings.ToUpper(given), "ff" + given[2:], "nonsense"} {
		h := sent(e.get("/v1/x", "Traceparent", bad, "Tracestate", "a=b"))
		if !made.MatchString(h.Get("Traceparent")) || h.Get("Tracestate") != "" {
			t.Errorf("%q becomes %q %q", bad, h.Get("Traceparent"), h.Get("Tracestate"))
		}
	}
	if h := sent(e.get("/v1/x", "Uber-Trace-Id", "abc:def:0:1")); h.Get("Traceparent") != "" || h.Get("Uber-Trace-Id") != "abc:def:0:1" {
		t.Errorf("Jaeger's own form became %v", h)
	}

	// Who asks is for nginx to say.
	h = sent(e.get("/v1/x", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Real-Ip", "1.2.3.4"))
	if h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Proto") != "http" || h.Get("X-Real-Ip") != "127.0.0.1" {
		t.Errorf("a client is believed: %v", h)
	}
	e = start(t, []string{g.addr}, "CALOTYPE_EDGE__TRUSTED=127.0.0.0/8", "CALOTYPE_TRACING__SAMPLER=off")
	h = sent(e.get("/v1/x", "X-Forwarded-For", "1.2.3.4"))
	if h.Get("X-Forwarded-For") != "1.2.3.4" || h.Get("Traceparent") != "" {
		t.Errorf("a balancer before it is not believed, or a trace was begun: %v", h)
	}
	e = start(t, []string{g.addr}, "CALOTYPE_TRACING__SAMPLER=probabilistic", "CALOTYPE_TRACING__PARAM=0.5")
	kept := 0
	for range 100 {
		if strings.HasSuffix(sent(e.get("/v1/x")).Get("Traceparent"), "-01") {
			kept++
		}
	}
	if kept < 20 || kept > 80 {
		t.Errorf("%d of 100 traces are kept, half were to be", kept)
	}
}

// Nobody sees from outside what the gateways tell of themselves.
func TestWhatIsNotForTheOutside(t *testing.T) {
	g := newGateway(t, hello)
	e := start(t, []string{g.addr})
	for _, path := range []string{"/metrics", "/debug/pprof/", "/_problem/502", "//metrics", "/x/../metrics", "/%6Detrics"} {
		req := e.get(path)
		if req.StatusCode != 404 || g.served.Load() > 0 {
			t.Errorf("%s: %d %q", path, req.StatusCode, req.body)
		}
	}
	e.wantProblem(e.get("/metrics"), 404, "ROUTE_NOT_FOUND")
	if a := e.get("/healthz"); a.StatusCode != 200 || a.body != "ok\n" || g.served.Load() > 0 {
		t.Errorf("/healthz: %d %q", a.StatusCode, a.body)
	}
	a := e.get("/v1/x")
	if a.Header.Get("Server") != "nginx" || a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("headers %v", a.Header)
	}
	if n := e.metric("calotype_edge_nginx_requests_total"); n < 5 {
		t.Errorf("nginx counts %v requests", n)
	}
}

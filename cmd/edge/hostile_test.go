package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// raw says something that net/http would not, and gives the answer.
func (e *edge) raw(text string) answer {
	e.t.Helper()
	conn, err := new(net.Dialer).DialContext(e.t.Context(), "tcp", strings.TrimPrefix(e.http, "http://"))
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		e.t.Fatal(err)
	}
	rsp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{Response: &http.Response{}, body: err.Error()}
	}
	defer rsp.Body.Close()
	b, _ := io.ReadAll(rsp.Body)
	return answer{rsp, string(b)}
}

func TestWhatIsNotHTTP(t *testing.T) {
	g := newGateway(t, hello)
	e := start(t, []string{g.addr}, "CALOTYPE_EDGE__TIMEOUTS__HEADER=300ms", "CALOTYPE_EDGE__TIMEOUTS__STALL=500ms")
	long := strings.Repeat("x", 20_000)
	for _, c := range []struct {
		text, reason string
		status       int
	}{
		{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "BAD_REQUEST", 400},
		{"GET / HTTP/1.1\r\nHost: ../../etc\r\n\r\n", "BAD_REQUEST", 400},
		{"GET / HTTP/1.1\r\n\r\n", "BAD_REQUEST", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "BAD_REQUEST", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: " + long + "\r\n\r\n", "HEADERS_TOO_LARGE", 431},
		{"GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", "URI_TOO_LONG", 414},
		{"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "METHOD_NOT_ALLOWED", 405},
		{"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "BAD_REQUEST", 400},
		{"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nslow", "STALLED", 408},
		{"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "BAD_REQUEST", 400},
	} {
		a := e.raw(c.text)
		if a.StatusCode == 0 { // nginx closes over one that stopped, as over one that never spoke
			t.Logf("%.60q: closed (%s)", c.text, a.body)
			if c.status != 408 {
				t.Errorf("%.60q was not answered", c.text)
			}
			continue
		}
		e.wantProblem(a, c.status, c.reason)
	}
	if g.served.Load() > 1 { // the slow body's request may have come
		t.Errorf("%d of them reached a gateway", g.served.Load())
	}
	// Headers that never end, one at a time, are cut off in time.
	began := time.Now()
	if a := e.raw("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: "); a.StatusCode != 0 && a.StatusCode != 408 || time.Since(began) > 10*time.Second {
		t.Errorf("headers that do not end: %d after %v", a.StatusCode, time.Since(began))
	}
	if a := e.get("/v1/x"); a.StatusCode != 200 {
		t.Errorf("after all this: %d", a.StatusCode)
	}
}

func TestLimitsOfAClient(t *testing.T) {
	g := newGateway(t, hello)
	e := start(t, []string{g.addr}, "CALOTYPE_EDGE__LIMITS__RATE=1", "CALOTYPE_EDGE__LIMITS__BURST=3")
	var few, many atomic.Int64
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			a, err := e.try(http.DefaultTransport, "GET", "/v1/x", nil)
			switch {
			case err != nil:
				t.Error(err)
			case a.StatusCode == 200:
				few.Add(1)
			default:
				many.Add(1)
				e.wantProblem(a, 429, "EXHAUSTED")
			}
		})
	}
	all.Wait()
	if few.Load() < 4 || many.Load() == 0 {
		t.Errorf("%d of 40 at once passed and %d were too many, with 1 a second and 3 beyond", few.Load(), many.Load())
	}
	for range 10 {
		if a := e.get("/healthz"); a.StatusCode != 200 {
			t.Errorf("its health counts: %d", a.StatusCode)
		}
	}

	entered, release := make(chan struct{}, 2), make(chan struct{})
	slow := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
		hello(w, r)
	})
	e = start(t, []string{slow.addr}, "CALOTYPE_EDGE__LIMITS__CONNECTIONS=2")
	for range 2 {
		all.Go(func() { _, _ = e.try(&http.Transport{}, "GET", "/v1/x", nil) })
		<-entered
	}
	e.wantProblem(e.get("/v1/x"), 429, "EXHAUSTED")
	close(release)
	all.Wait()
	if a := e.get("/v1/x"); a.StatusCode != 200 {
		t.Errorf("when they are done: %d", a.StatusCode)
	}
}

func TestAnAnswerThatDoesNotCome(t *testing.T) {
	g := newGateway(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	e := start(t, []string{g.addr}, "CALOTYPE_EDGE__TIMEOUTS__ANSWER=200ms")
	e.wantProblem(e.do("POST", "/v1/x", strings.NewReader("x")), 504, "DEADLINE")
	e.wantProblem(e.get("/v1/x"), 504, "DEADLINE")
}

// A configuration that nginx does not take changes nothing; one that it takes costs those who think between requests nothing.
func TestReloads(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		hello(w, r)
	})
	text, err := os.ReadFile("../../deploy/nginx/nginx.conf.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	template := dir + "/nginx.conf.tmpl"
	put := func(s string) {
		t.Helper()
		if err := os.WriteFile(template, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(string(text))
	e := start(t, []string{g.addr}, "CALOTYPE_EDGE__TEMPLATE="+template)
	reload := func(outcome string) {
		t.Helper()
		name := fmt.Sprintf("calotype_edge_reloads_total{outcome=%q}", outcome)
		before := e.metric(name)
		if err := syscall.Kill(e.process.Pid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		e.eventually("it is told: "+outcome, func() bool { return e.metric(name) > before })
	}
	for _, bad := range []string{"{{", "nonsense;", strings.Replace(string(text), "tcp_nopush on;", "tcp_nopush maybe;", 1), "{{.Nothing}}"} {
		put(bad)
		reload("failed")
		if a := e.get("/v1/x"); a.StatusCode != 200 {
			t.Errorf("after a bad configuration: %d", a.StatusCode)
		}
	}
	put(strings.Replace(string(text), `return 200 "ok\n"`, `return 200 "fresh\n"`, 1))
	reload("ok")
	e.eventually("the new one is in force", func() bool { return e.get("/healthz").body == "fresh\n" })

	for _, c := range []struct {
		what, method string
		think        time.Duration
		strict       bool
	}{{"GETs with 20 ms between them", http.MethodGet, 20 * time.Millisecond, true}, {"saturated GETs", http.MethodGet, 0, true},
		{"POSTs with 20 ms between them", http.MethodPost, 20 * time.Millisecond, false}, {"saturated POSTs", http.MethodPost, 0, false}} {
		l := e.load(16, c.method, c.think)
		e.eventually("it runs", func() bool { return l.sent.Load() > 100 })
		for range 5 {
			at := l.sent.Load()
			reload("ok")
			e.eventually("it goes on", func() bool { return l.sent.Load() > at+100 })
		}
		sent, failed, why := l.end()
		t.Logf("5 reloads under %s: %d of %d failed %.100s", c.what, failed, sent, why)
		if c.strict && failed > 0 {
			t.Errorf("%s: %d of %d failed: %s", c.what, failed, sent, why)
		}
	}
}

// Many clients that take nothing do not keep others from being served.
func TestSlowReaders(t *testing.T) {
	chunk := make([]byte, 1<<20)
	var sent atomic.Int64
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/x" {
			hello(w, r)
			return
		}
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			sent.Add(int64(len(chunk)))
		}
	})
	e := start(t, []string{g.addr})
	for range 20 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(e.http, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(4096)
		_, _ = io.WriteString(conn, "GET /v1/images/img_1/original HTTP/1.1\r\nHost: a\r\n\r\n")
	}
	e.eventually("all have begun", func() bool { return g.served.Load() >= 20 })
	for range 20 {
		if a := e.get("/v1/x"); a.StatusCode != 200 {
			t.Fatalf("got %d", a.StatusCode)
		}
	}
	if n := sent.Load(); n > 20*32<<20 {
		t.Errorf("%d MiB were taken from the gateway for clients that take nothing", n>>20)
	}
}

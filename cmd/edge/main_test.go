package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"calotype/test/servers"
)

// program is the binary under test; nginx the real one that it runs.
var program, nginx string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(asGateway) != "" {
		fmt.Fprintln(os.Stderr, serveGateway())
		return 1
	}
	dir, err := os.MkdirTemp("", "edge-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "edge")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building what is tested: %v\n%s", err, out)
		return 1
	}
	if nginx, err = exec.LookPath("nginx"); err != nil {
		nginx = "/usr/sbin/nginx" // not on everybody's PATH
	}
	return m.Run()
}

// edge is a running one, with an nginx of its own.
type edge struct {
	t       *testing.T
	process *servers.Process
	dir     string
	http    string // base URL
	grpc    string // host:port
	tls     string
	ops     string // base URL
}

// start runs an edge that finds the gateways at these addresses in its last list; its registry is away, unless env says where it is.
func start(t *testing.T, addresses []string, env ...string) *edge {
	t.Helper()
	dir, err := os.MkdirTemp("", "edge") //nolint:usetesting // short, for the sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &edge{t: t, dir: dir, grpc: servers.FreePort(t), tls: servers.FreePort(t)}
	at, ops := servers.FreePort(t), servers.FreePort(t)
	e.http, e.ops = "http://"+at, "http://"+ops
	template, err := filepath.Abs("../../deploy/nginx/nginx.conf.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	if addresses != nil {
		b, _ := json.Marshal(map[string]any{"addresses": addresses})
		e.write("gateways.json", string(b))
	}
	e.process = servers.Run(t, servers.Program{Path: program, Env: append([]string{
		"CALOTYPE_EDGE__NGINX=" + nginx, "CALOTYPE_EDGE__TEMPLATE=" + template, "CALOTYPE_EDGE__DIR=" + filepath.Join(dir, "run"),
		"CALOTYPE_EDGE__STATE=" + filepath.Join(dir, "gateways.json"), "CALOTYPE_EDGE__CACHE__DIR=" + filepath.Join(dir, "cache"),
		"CALOTYPE_EDGE__HTTP=" + at, "CALOTYPE_EDGE__GRPC=" + e.grpc, "CALOTYPE_EDGE__TLS__LISTEN=" + e.tls, "CALOTYPE_EDGE__ACCESS_LOG=" + filepath.Join(dir, "access.log"),
		"CALOTYPE_EDGE__CONNECTIONS=1024", "CALOTYPE_OPS__LISTEN=" + ops, "CALOTYPE_REGISTRY__KIND=consul", "CALOTYPE_REGISTRY__ADDRESSES=127.0.0.1:1",
		"CALOTYPE_EDGE__GATEWAYS__PROBE=200ms", "CALOTYPE_EDGE__GATEWAYS__SILENCE=1s", "CALOTYPE_HEALTH__INTERVAL=100ms", "CALOTYPE_DRAIN__TIMEOUT=5s",
		"CALOTYPE_TRACING__SAMPLER=all", "CALOTYPE_TRACING__COLLECTOR=http://127.0.0.1:1/api/traces",
	}, env...), Ready: func(ctx context.Context, _ *servers.Process) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.http+"/healthz", nil)
		if err != nil {
			return err
		}
		rsp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return err
		}
		return rsp.Body.Close()
	}})
	return e
}

func (e *edge) write(name, text string) string {
	e.t.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return path
}

// metric gives a number of the edge's own; 0 where there is none.
func (e *edge) metric(name string) (value float64) {
	for line := range strings.Lines(e.get(e.ops + "/metrics").body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_, _ = fmt.Sscanf(rest, "%g", &value)
		}
	}
	return value
}

// logged waits for the access log's line of a request.
func (e *edge) logged(id string) (line map[string]any) {
	e.t.Helper()
	e.eventually("the log tells of "+id, func() bool {
		text, _ := os.ReadFile(filepath.Join(e.dir, "access.log"))
		for one := range strings.Lines(string(text)) {
			line = nil
			if err := json.Unmarshal([]byte(one), &line); err != nil && strings.HasSuffix(one, "\n") {
				e.t.Fatalf("a line of the log is no JSON: %v\n%s", err, one)
			}
			if line["http.request.id"] == id {
				return true
			}
		}
		return false
	})
	return line
}

func (e *edge) eventually(what string, ok func() bool) time.Duration {
	e.t.Helper()
	began, tick := time.Now(), time.NewTicker(2*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if <-tick.C; time.Since(began) > 20*time.Second {
			e.t.Fatalf("never happened: %s\n%s", what, e.process.Log())
		}
	}
	return time.Since(began)
}

// wantProblem checks a problem document of nginx's own.
func (e *edge) wantProblem(a answer, status int, reason string) {
	e.t.Helper()
	var d struct {
		Status        int
		Reason, Title string
		RequestID     string `json:"request_id"`
	}
	err := json.Unmarshal([]byte(a.body), &d)
	if err != nil || a.StatusCode != status || d.Status != status || d.Reason != reason || d.Title == "" || a.Header.Get("Content-Type") != "application/problem+json" ||
		d.RequestID == "" || len(a.Header.Values("X-Request-Id")) != 1 || d.RequestID != a.Header.Get("X-Request-Id") {
		e.t.Errorf("got %d %v %s, %v; want a problem %d %s", a.StatusCode, a.Header, a.body, err, status, reason)
	}
	if again := status == 429 || status >= 502; again != (a.Header.Get("Retry-After") != "") {
		e.t.Errorf("%d with Retry-After %q", status, a.Header.Get("Retry-After"))
	}
}

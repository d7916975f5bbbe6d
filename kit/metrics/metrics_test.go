package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/server"

	"calotype/kit/fault"
	"calotype/kit/metrics"
)

// told compares the counters of a name, which need no buckets to be read.
func told(t *testing.T, r *prometheus.Registry, want string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

type serverRequest struct {
	server.Request
	method string
}

func (r serverRequest) Method() string { return r.method }

func TestServer(t *testing.T) {
	r := prometheus.NewRegistry()
	w := metrics.NewHandlerWrapper(r)
	metrics.NewHandlerWrapper(r) // a second service of the process shares them
	serve := func(err error) {
		_ = w(func(context.Context, server.Request, any) error {
			told(t, r, "# HELP calotype_rpc_server_in_flight Calls being answered.\n# TYPE calotype_rpc_server_in_flight gauge\n"+
				`calotype_rpc_server_in_flight{method="/a.B/C"} 1`+"\n", "calotype_rpc_server_in_flight")
			return err
		})(t.Context(), serverRequest{method: "/a.B/C"}, nil)
	}
	serve(nil)
	serve(nil)
	serve(fault.New(fault.NotFound, "", "x"))
	serve(errors.New("x"))
	func() {
		defer func() { _ = recover() }()
		_ = w(func(context.Context, server.Request, any) error { panic("oops") })(t.Context(), serverRequest{method: "/a.B/C"}, nil)
	}()
	told(t, r, `
# HELP calotype_rpc_server_handled_total Calls that were answered, by method and outcome.
# TYPE calotype_rpc_server_handled_total counter
calotype_rpc_server_handled_total{code="internal",method="/a.B/C"} 2
calotype_rpc_server_handled_total{code="not_found",method="/a.B/C"} 1
calotype_rpc_server_handled_total{code="ok",method="/a.B/C"} 2
# HELP calotype_rpc_server_in_flight Calls being answered.
# TYPE calotype_rpc_server_in_flight gauge
calotype_rpc_server_in_flight{method="/a.B/C"} 0
`, "calotype_rpc_server_handled_total", "calotype_rpc_server_in_flight")
}

type clientRequest struct {
	client.Request
}

func (clientRequest) Service() string { return "s" }
func (clientRequest) Method() string  { return "/a.B/C" }

type fake struct {
	client.Client
	err error
}

func (f fake) Call(context.Context, client.Request, any, ...client.CallOption) error { return f.err }
func (f fake) Stream(ctx context.Context, _ client.Request, _ ...client.CallOption) (client.Stream, error) {
	if f.err != nil {
		return nil, f.err
	}
	return stream{ctx: ctx}, nil
}

type stream struct {
	client.Stream
	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }
func (s stream) Recv(any) error           { return io.EOF }

func TestClient(t *testing.T) {
	r := prometheus.NewRegistry()
	wrap := metrics.NewClientWrapper(r)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	good, bad := wrap(fake{}), wrap(fake{err: fault.New(fault.Unavailable, "", "x")})
	_ = good.Call(ctx, clientRequest{}, nil)
	_ = bad.Call(ctx, clientRequest{}, nil)
	_, _ = bad.Stream(ctx, clientRequest{})
	s, err := good.Stream(ctx, clientRequest{})
	if err != nil {
		t.Fatal(err)
	}
	const running = "# HELP calotype_rpc_client_in_flight Calls under way.\n# TYPE calotype_rpc_client_in_flight gauge\n" +
		`calotype_rpc_client_in_flight{method="/a.B/C",service="s"} `
	told(t, r, running+"1\n", "calotype_rpc_client_in_flight")
	_ = s.Recv(nil)
	told(t, r, running+"0\n", "calotype_rpc_client_in_flight")
	told(t, r, `
# HELP calotype_rpc_client_completed_total Calls that were made, by service, method and outcome.
# TYPE calotype_rpc_client_completed_total counter
calotype_rpc_client_completed_total{code="ok",method="/a.B/C",service="s"} 2
calotype_rpc_client_completed_total{code="unavailable",method="/a.B/C",service="s"} 2
`, "calotype_rpc_client_completed_total")
}

func TestHTTP(t *testing.T) {
	r := prometheus.NewRegistry()
	mux := http.NewServeMux()
	mux.HandleFunc("/i/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h := metrics.HTTP(r, nil, mux)
	for _, c := range [][2]string{{"GET", "/i/1"}, {"GET", "/i/2"}, {"BREW", "/i/3"}, {"GET", "/etc/passwd"}, {"GET", "/another/stranger"}} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(c[0], c[1], nil))
	}
	told(t, r, `
# HELP calotype_http_requests_total Requests that were answered, by method, route and status.
# TYPE calotype_http_requests_total counter
calotype_http_requests_total{method="GET",route="/i/{id}",status="418"} 2
calotype_http_requests_total{method="GET",route="none",status="404"} 2
calotype_http_requests_total{method="other",route="/i/{id}",status="418"} 1
`, "calotype_http_requests_total")
}

func TestRegistryTellsOfTheProcess(t *testing.T) {
	w := httptest.NewRecorder()
	metrics.Handler(metrics.NewRegistry("1.2.3", "abc")).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`calotype_build_info{commit="abc",version="1.2.3"} 1`, "go_goroutines ", "process_resident_memory_bytes "} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not told", want)
		}
	}
}

package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"

	"calotype/gateway/app"
	"calotype/gateway/internal/problem"
	"calotype/kit/boot"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
	greeterapp "calotype/services/greeter/app"
	storageapp "calotype/services/storage/app"
)

// stage is a gateway with everything behind it in one process: the real greeter and, unless a test brings its own, the real storage;
// images and workers are doubles on a real RPC server.
type stage struct {
	t      *testing.T
	url    string
	host   *boot.Host
	images *images
	worker *worker
	leave  func() // drains the gateway and waits for it
}

type setup struct {
	gateway app.Config
	storage storagev1.StorageHandler
	images  func(*stage) // runs the real image service in the place of the doubles
	before  func(*stage) // runs what is there before the gateway is
}

func newStage(t *testing.T, change ...func(*setup)) *stage {
	t.Helper()
	set := setup{gateway: app.DefaultConfig()}
	set.gateway.Log.Level = "error"
	set.gateway.RPC.Listen, set.gateway.HTTP.Listen, set.gateway.Ops.Listen = "127.0.0.1:0", "127.0.0.1:0", ""
	set.gateway.Drain.Timeout = 10 * time.Second
	for _, f := range change {
		f(&set)
	}
	host, err := boot.NewHost("gateway-test", set.gateway.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &stage{t: t, host: host, images: newImages(), worker: &worker{}}
	s.behind(set)
	if set.before != nil {
		set.before(s)
	}
	gateway, err := app.New(set.gateway, host)
	if err != nil {
		t.Fatal(err)
	}
	s.leave = s.run(gateway)
	s.url = "http://" + gateway.Addr()
	return s
}

// behind runs what the gateway calls.
func (s *stage) behind(set setup) {
	s.t.Helper()
	greeter, err := greeterapp.New(greeterapp.Config{Config: set.gateway.Config}, s.host)
	s.must(err)
	s.run(greeter)
	if set.storage != nil {
		s.serve(proto.Storage, set, func(srv server.Server) error { return storagev1.RegisterStorageHandler(srv, set.storage) })
	} else {
		cfg := storageapp.DefaultConfig()
		cfg.Config = set.gateway.Config
		cfg.Storage.Root, cfg.Storage.MinFree = s.t.TempDir(), 0
		storage, err := storageapp.New(cfg, s.host)
		s.must(err)
		s.run(storage)
	}
	if set.images != nil {
		set.images(s)
		return
	}
	s.serve(proto.Image, set, func(srv server.Server) error {
		if err := imagev1.RegisterImagesHandler(srv, s.images); err != nil {
			return err
		}
		return imagev1.RegisterJobsHandler(srv, jobs{s.images})
	})
	s.serve(proto.Worker, set, func(srv server.Server) error { return imagev1.RegisterTransformerHandler(srv, s.worker) })
}

func (s *stage) serve(name string, set setup, register func(server.Server) error) {
	s.t.Helper()
	service, err := s.host.NewService(name, set.gateway.Service(), register)
	s.must(err)
	s.run(service)
}

type service interface {
	boot.Runner
	Ready() <-chan struct{}
}

func (s *stage) run(r service) (leave func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	done := false
	leave = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(leave)
	select {
	case <-r.Ready():
	case err := <-ended:
		s.t.Fatalf("it ended before it was ready: %v", err)
	}
	return leave
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// request builds a request to the gateway; headers come in pairs.
func (s *stage) request(method, path string, body io.Reader, headers ...string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, body)
	s.must(err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// do sends a request and reads the whole answer.
func (s *stage) do(r *http.Request) (*answer, string) {
	s.t.Helper()
	rsp, err := http.DefaultTransport.RoundTrip(r)
	s.must(err)
	defer rsp.Body.Close()
	data, err := io.ReadAll(rsp.Body)
	s.must(err)
	return read(rsp), string(data)
}

// answer is a response whose body has been read.
type answer struct {
	StatusCode    int
	Header        http.Header
	ContentLength int64
	Request       *http.Request
}

func read(rsp *http.Response) *answer {
	return &answer{rsp.StatusCode, rsp.Header, rsp.ContentLength, rsp.Request}
}

func (s *stage) get(path string, headers ...string) (*answer, string) {
	s.t.Helper()
	return s.do(s.request(http.MethodGet, path, nil, headers...))
}

func (s *stage) post(path, body string, headers ...string) (*answer, string) {
	s.t.Helper()
	return s.do(s.request(http.MethodPost, path, strings.NewReader(body), headers...))
}

type problemViolation = problem.Violation

// wantProblem asserts that an answer is a whole problem document of a status and reason, and gives it.
func (s *stage) wantProblem(rsp *answer, body string, status int, reason string) problem.Document {
	s.t.Helper()
	var d problem.Document
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		s.t.Fatalf("%s %s: %d %q is no problem document: %v", rsp.Request.Method, rsp.Request.URL, rsp.StatusCode, body, err)
	}
	if rsp.StatusCode != status || d.Status != status || d.Reason != reason {
		s.t.Errorf("%s %s: %d %+v, want %d %s", rsp.Request.Method, rsp.Request.URL, rsp.StatusCode, d, status, reason)
	}
	if ct := rsp.Header.Get("Content-Type"); ct != problem.ContentType {
		s.t.Errorf("%s: a problem came as %q", rsp.Request.URL, ct)
	}
	if rsp.Header.Get("Cache-Control") != "no-store" {
		s.t.Errorf("%s: a problem may be cached: %v", rsp.Request.URL, rsp.Header)
	}
	if d.RequestID == "" || d.RequestID != rsp.Header.Get("X-Request-Id") {
		s.t.Errorf("%s: request id %q in the document, %q in the header", rsp.Request.URL, d.RequestID, rsp.Header.Get("X-Request-Id"))
	}
	if d.Type == "" || d.Title == "" || d.Detail == "" {
		s.t.Errorf("%s: the problem lacks something: %+v", rsp.Request.URL, d)
	}
	return d
}

// mustService finds what the registry knows of a service.
func mustService(t *testing.T, s *stage, name string) *registry.Service {
	t.Helper()
	found, err := s.host.Registry.GetService(name)
	if err != nil || len(found) != 1 {
		t.Fatalf("the registry knows %d of %s: %v", len(found), name, err)
	}
	return found[0]
}

package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/logger"
	"go-micro.dev/v4/metadata"
	"google.golang.org/grpc/grpclog"
	grpcmeta "google.golang.org/grpc/metadata"

	"calotype/kit/logging"
)

// lines collects what is logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) last(t *testing.T) map[string]any {
	t.Helper()
	all := strings.Split(strings.TrimSpace(l.String()), "\n")
	m := map[string]any{}
	if err := json.Unmarshal([]byte(all[len(all)-1]), &m); err != nil {
		t.Fatalf("%v: %s", err, all[len(all)-1])
	}
	return m
}

func jsonLogger(t *testing.T, level string) (*slog.Logger, *lines) {
	t.Helper()
	var out lines
	l, err := logging.New(logging.Config{Level: level, Format: "json"}, logging.Service{Name: "calotype-x", Version: "1.2.3", Node: "n1"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	return l, &out
}

func TestECS(t *testing.T) {
	l, out := jsonLogger(t, "info")
	ctx := logging.With(t.Context(), slog.String(logging.TraceID, "abc"), slog.String(logging.RequestID, "r1"))
	ctx = logging.WithJob(ctx, "j1")
	ctx = logging.With(ctx, slog.String(logging.RequestID, "r2"))
	l.With("a", 1).ErrorContext(ctx, "it broke", "error", errors.New("cause"), "took", 1500*time.Millisecond)
	got := out.last(t)
	if at, err := time.Parse(time.RFC3339Nano, got["@timestamp"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("@timestamp is %v", got["@timestamp"])
	}
	for k, want := range map[string]any{
		"log.level": "error", "message": "it broke", "service.name": "calotype-x", "service.version": "1.2.3", "service.node.name": "n1",
		"trace.id": "abc", "http.request.id": "r2", "calotype.job.id": "j1", "error.message": "cause", "calotype.a": 1.0, "calotype.took": "1.5s",
	} {
		if got[k] != want {
			t.Errorf("%s is %v, want %v", k, got[k], want)
		}
	}
	if logging.Request(ctx) != "r2" || logging.Trace(ctx) != "abc" || logging.Request(t.Context()) != "" {
		t.Error("the context does not give its ids back")
	}
	l.Debug("quiet")
	if strings.Contains(out.String(), "quiet") {
		t.Error("debug is logged at info")
	}
}

// A store of logs refuses a line that has a text where another has fields below the name: service, and service.name.
func TestNoFieldIsBothTextAndObject(t *testing.T) {
	l, out := jsonLogger(t, "info")
	l = l.With("service", "calotype-y")
	l.Warn("x", "error", "a text", "source", "there", "file", "f", "job", "j1", "image", "i1", "tags", "t", "url.path", "/p",
		"node", 7, slog.Group("http", slog.Int("n", 1)))
	got := out.last(t)
	for k, want := range map[string]any{
		"service.name": "calotype-x", "calotype.service": "calotype-y", "error.message": "a text", "calotype.source": "there", "calotype.file": "f",
		"calotype.job.id": "j1", "calotype.image.id": "i1", "tags": "t", "url.path": "/p", "calotype.node": 7.0,
	} {
		if got[k] != want {
			t.Errorf("%s is %v, want %v", k, got[k], want)
		}
	}
	for k := range got {
		for other := range got {
			if strings.HasPrefix(other, k+".") {
				t.Errorf("%s is a text, and an object that has %s", k, other)
			}
		}
	}
}

func TestTextIsForPeople(t *testing.T) {
	var out lines
	l, err := logging.New(logging.Config{Level: "debug", Format: "text"}, logging.Service{Name: "calotype-x"}, &out)
	if err != nil {
		t.Fatal(err)
	}
	l.InfoContext(logging.With(t.Context(), slog.String(logging.RequestID, "r1")), "hello", "n", 1)
	if s := out.String(); !strings.Contains(s, "INF hello n=1 http.request.id=r1") || strings.Contains(s, "\x1b") {
		t.Errorf("%q", s)
	}
}

func TestValidate(t *testing.T) {
	if fs := logging.DefaultConfig().Validate(); fs != nil {
		t.Errorf("the defaults are wrong: %v", fs)
	}
	if fs := (logging.Config{Level: "loud", Format: "xml"}).Validate(); len(fs) != 2 {
		t.Errorf("two faults were told as %v", fs)
	}
	if _, err := logging.New(logging.Config{Level: "loud"}, logging.Service{}, io.Discard); err == nil {
		t.Error("New took a level that is none")
	}
}

func TestBridges(t *testing.T) {
	l, out := jsonLogger(t, "debug")
	logging.Adopt(l)
	logger.Logf(logger.InfoLevel, "micro says %d\n", 1)
	if got := out.last(t); got["message"] != "micro says 1" || got["log.level"] != "debug" || got["log.logger"] != "go-micro" {
		t.Errorf("go-micro's line is %v", got)
	}
	logger.DefaultLogger.Fields(map[string]any{"k": "v"}).Log(logger.ErrorLevel, "bad")
	if got := out.last(t); got["log.level"] != "error" || got["calotype.k"] != "v" {
		t.Errorf("go-micro's line is %v", got)
	}
	grpclog.Error("grpc says")
	if got := out.last(t); got["message"] != "grpc says" || got["log.level"] != "error" || got["log.logger"] != "grpc" {
		t.Errorf("grpc's line is %v", got)
	}
	quiet, silent := jsonLogger(t, "info")
	logging.Adopt(quiet)
	grpclog.Warning("a node is gone")
	logger.Log(logger.InfoLevel, "connected")
	if silent.String() != "" {
		t.Errorf("at info the libraries talk: %s", silent)
	}
}

func TestHTTPGivesEveryRequestAnID(t *testing.T) {
	l, out := jsonLogger(t, "debug")
	var seen string
	h := logging.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = logging.Request(r.Context())
		l.InfoContext(r.Context(), "seen")
		w.WriteHeader(http.StatusTeapot)
	}))
	for _, c := range []struct {
		sent string
		kept bool
	}{{"", false}, {"client-id_1.2", true}, {"short", false}, {strings.Repeat("x", 65), false}, {"with space1", false}, {"evil\x1b[31m", false}} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/a?secret=1", nil)
		r.Header.Set(logging.RequestHeader, c.sent)
		h.ServeHTTP(w, r)
		told := w.Header().Get(logging.RequestHeader)
		if (told == c.sent) != c.kept || told == "" || told != seen {
			t.Errorf("%q: told %q, seen %q", c.sent, told, seen)
		}
		got := out.last(t)
		if got["http.request.id"] != told {
			t.Errorf("the line is %v", got)
		}
	}
}

type recorder struct {
	client.Client
	sent string
}

func (r *recorder) Call(ctx context.Context, _ client.Request, _ any, _ ...client.CallOption) error {
	r.sent, _ = metadata.Get(ctx, logging.RequestHeader)
	return nil
}

func (r *recorder) Stream(ctx context.Context, _ client.Request, _ ...client.CallOption) (client.Stream, error) {
	r.sent, _ = metadata.Get(ctx, logging.RequestHeader)
	return nil, nil
}

func TestRequestIDTravels(t *testing.T) {
	var r recorder
	c := logging.NewClientWrapper()(&r)
	ctx := logging.With(t.Context(), slog.String(logging.RequestID, "request-1"))
	if err := c.Call(ctx, nil, nil); err != nil || r.sent != "request-1" {
		t.Errorf("a call sent %q", r.sent)
	}
	r.sent = ""
	if _, err := c.Stream(ctx, nil); err != nil || r.sent != "request-1" {
		t.Errorf("a stream sent %q", r.sent)
	}
	if err := c.Call(t.Context(), nil, nil); err != nil || r.sent != "" {
		t.Errorf("a call without an id sent %q", r.sent)
	}
	in := logging.Incoming(grpcmeta.NewIncomingContext(t.Context(), grpcmeta.Pairs("x-request-id", "request-1")))
	if logging.Request(in) != "request-1" {
		t.Error("what came in is not known")
	}
	for _, md := range []grpcmeta.MD{nil, grpcmeta.Pairs("x-request-id", "bad id!!!"), grpcmeta.Pairs("x-request-id", "request-1", "x-request-id", "request-2")} {
		if id := logging.Request(logging.Incoming(grpcmeta.NewIncomingContext(t.Context(), md))); id != "" {
			t.Errorf("%v gave %q", md, id)
		}
	}
}

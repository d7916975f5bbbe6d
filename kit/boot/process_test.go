package boot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go-micro.dev/v4/registry"
	"go.uber.org/goleak"

	"calotype/kit/fault"
	"calotype/kit/logging"
	kitregistry "calotype/kit/registry"
	"calotype/kit/tracing"
	greeterv1 "calotype/proto/greeter/v1"
)

// teller is a greeter that tells its context.
type teller struct{ f func(context.Context) }

func (g *teller) Hello(ctx context.Context, _ *greeterv1.HelloRequest, _ *greeterv1.HelloResponse) error {
	g.f(ctx)
	return nil
}

func (g *teller) Greetings(context.Context, *greeterv1.GreetingsRequest, greeterv1.Greeter_GreetingsStream) error {
	return nil
}

func ids(ctx context.Context) (request, trace string) {
	return logging.Request(ctx), logging.Trace(ctx)
}

func requestContext(ctx context.Context, h *Host) (_ context.Context, request, trace string) {
	ctx = logging.With(ctx, slog.String(logging.RequestID, "request-1"))
	ctx, _ = tracing.Start(ctx, h.Tracer, "root")
	request, trace = ids(ctx)
	return ctx, request, trace
}

func TestHTTPServicesLeaveInOrderToo(t *testing.T) {
	h := newHost(t, func(c *Config) { c.Tracing.Sampler, c.Tracing.Collector = "none", "http://127.0.0.1:1/" })
	h.cfg.Registry.Kind, h.cfg.Drain.Wait = kitregistry.Consul, 300*time.Millisecond // as for the pause: news takes its time
	began, let := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	var s *Service
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-let
		_, _ = io.WriteString(w, "finished")
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "event\n")
		w.(http.Flusher).Flush()
		select {
		case <-s.Draining():
			_, _ = io.WriteString(w, "bye\n")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /ids", func(w http.ResponseWriter, r *http.Request) {
		request, trace := ids(r.Context())
		_, _ = io.WriteString(w, request+" "+trace+" "+r.Proto)
	})
	s, err := h.NewHTTPService("gateway", HTTPConfig{Listen: "127.0.0.1:0"}, mux)
	if err != nil {
		t.Fatal(err)
	}
	leave, ended := run(t, s)
	nodes, err := h.Registry.GetService("gateway")
	if err != nil || nodes[0].Nodes[0].Address != s.Addr() || nodes[0].Nodes[0].Metadata["protocol"] != "http" || nodes[0].Nodes[0].Id != "gateway-"+h.ID {
		t.Errorf("the registry tells %+v, %v", nodes, err)
	}
	get := func(path string) (*http.Response, error) { return http.Get("http://" + s.Addr() + path) }
	rsp, err := get("/ids")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(rsp.Body)
	rsp.Body.Close()
	if want := rsp.Header.Get("X-Request-Id") + " " + rsp.Header.Get("X-Trace-Id") + " HTTP/1.1"; string(body) != want || len(want) < 70 {
		t.Errorf("the handler knows %q, the answer tells %q", body, want)
	}
	h2c := &http.Transport{Protocols: new(http.Protocols)}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	if rsp, err := (&http.Client{Transport: h2c}).Get("http://" + s.Addr() + "/ids"); err != nil || rsp.ProtoMajor != 2 {
		t.Errorf("HTTP/2 in clear text: %v, %v", rsp, err)
	} else {
		rsp.Body.Close()
	}
	h2c.CloseIdleConnections()
	events, err := get("/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	lines := bufio.NewReader(events.Body)
	if l, err := lines.ReadString('\n'); err != nil || l != "event\n" {
		t.Errorf("%q, %v", l, err)
	}
	slow := make(chan error, 1)
	go func() {
		rsp, err := get("/slow")
		if err == nil {
			var body []byte
			body, err = io.ReadAll(rsp.Body)
			rsp.Body.Close()
			if err == nil && string(body) != "finished" {
				err = errors.New(string(body))
			}
		}
		slow <- err
	}()
	wait(t, began, "the request to begin")
	leave()
	until(t, "the registry to forget it", func() bool {
		_, err := h.Registry.GetService("gateway")
		return errors.Is(err, registry.ErrNotFound)
	})
	if rsp, err := get("/ids"); err != nil || !rsp.Close {
		t.Errorf("in the pause: %v, %v; want an answer that closes its connection", rsp, err)
	} else {
		rsp.Body.Close()
	}
	if l, err := lines.ReadString('\n'); err != nil || l != "bye\n" {
		t.Errorf("an endless stream ended with %q, %v", l, err)
	}
	if h.Health.Ready() {
		t.Error("it is ready while it leaves")
	}
	close(let)
	if err := wait(t, slow, "the running request"); err != nil {
		t.Errorf("the running request: %v", err)
	}
	if err := wait(t, ended, "the end"); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// runner notes when it starts and stops.
type runner struct {
	name  string
	d     *diary
	ready chan struct{}
	fails error
}

func (r *runner) Ready() <-chan struct{} { return r.ready }

func (r *runner) Run(ctx context.Context) error {
	r.d.note("start " + r.name)
	if r.fails != nil {
		return r.fails
	}
	close(r.ready)
	<-ctx.Done()
	r.d.note("stop " + r.name)
	return nil
}

func TestRunAll(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		fails [3]error
		want  string
		err   error
	}{
		"all is well":       {want: "start a, start b, start c, stop c, stop b, stop a"},
		"the second fails":  {fails: [3]error{nil, broken, nil}, want: "start a, start b, stop a", err: broken},
		"the last one does": {fails: [3]error{nil, nil, broken}, want: "start a, start b, start c, stop b, stop a", err: broken},
	} {
		t.Run(name, func(t *testing.T) {
			var d diary
			var rs []Runner
			for i, fails := range c.fails {
				rs = append(rs, &runner{name: string(rune('a' + i)), d: &d, ready: make(chan struct{}), fails: fails})
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- RunAll(ctx, rs...) }()
			if c.err == nil {
				wait(t, rs[2].(*runner).ready, "the last to be ready")
				cancel()
			}
			if err := wait(t, ended, "the end"); !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("it ended with %v", err)
			}
			if got := strings.Join(d.notes, ", "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	bad := fault.New(fault.Invalid, "BAD_CONFIG", "wrong")
	for want, errs := range map[int][]error{
		0: {nil, pflag.ErrHelp, errVersion}, 1: {errors.New("x"), fmt.Errorf("x: %w", context.Canceled)}, 2: {bad, fmt.Errorf("x: %w", bad)},
	} {
		for _, err := range errs {
			if got := exitCode("test", err); got != want {
				t.Errorf("%v exits with %d, want %d", err, got, want)
			}
		}
	}
}

func TestConfigure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("log: {level: debug}\ndrain: {wait: 7s}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CALOTYPE_CONFIG", path)
	t.Setenv("CALOTYPE_DRAIN__TIMEOUT", "9s")
	cfg := DefaultConfig()
	if err := Configure("x", &cfg, []string{"--drain.wait=8s"}); err != nil {
		t.Fatal(err)
	}
	if cfg.Log.Level != "debug" || cfg.Drain.Wait != 8*time.Second || cfg.Drain.Timeout != 9*time.Second {
		t.Errorf("%+v", cfg)
	}
	for _, c := range []struct {
		args []string
		want error
	}{{[]string{"--help"}, pflag.ErrHelp}, {[]string{"--version"}, errVersion}} {
		if err := Configure("x", &cfg, c.args); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c.args, err)
		}
	}
	err := Configure("x", &cfg, []string{"--drain.wiat=1s", "--rpc.attempts=0", "--log.level", "loud"})
	if f := fault.As(err); f == nil || len(f.Fields) != 3 || !strings.Contains(err.Error(), "did you mean --drain.wait?") {
		t.Errorf("three faults: %v", err)
	}
	for _, args := range [][]string{{"up"}, {"--drain.wait"}} {
		if err := Configure("x", &cfg, args); fault.ReasonOf(err) != "BAD_CONFIG" {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestIDsAreFitForEveryRegistry(t *testing.T) {
	a, b := newID(), newID()
	if a == b || len(a) > 33 || strings.ContainsAny(a, "._ ") || strings.HasPrefix(a, "-") {
		t.Errorf("%q, %q", a, b)
	}
}

// A process that has ended leaves nothing behind: whoever runs many in one process would drown.
func TestNothingIsLeftBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	cfg := DefaultConfig()
	cfg.RPC.Listen, cfg.Log.Level = "127.0.0.1:0", "error"
	cfg.Tracing.Sampler, cfg.Tracing.Collector = "all", "http://127.0.0.1:1/"
	h, err := NewHost("boot-test", cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Health.Add("x", func(context.Context) error { return nil })
	s := newGreeter(t, h, newSlow())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	wait(t, s.Ready(), "the service")
	if _, err := greeterv1.NewGreeterService("greeter", h.Client()).Hello(within(t), &greeterv1.HelloRequest{Name: "quick"}); err != nil {
		t.Error(err)
	}
	cancel()
	if err := errors.Join(wait(t, ended, "the end"), h.Close()); err != nil {
		t.Error(err)
	}
	nothingLeft(t, before)
}

// What was opened before a part that cannot be is let go of.
func TestNothingIsLeftOfHalfAHost(t *testing.T) {
	taken := newHost(t, func(cfg *Config) { cfg.Ops.Listen = "127.0.0.1:0" })
	before := goleak.IgnoreCurrent()
	cfg := DefaultConfig()
	cfg.Ops.Listen = taken.OpsAddr()
	cfg.Tracing.Sampler, cfg.Tracing.Collector = "all", "http://127.0.0.1:1/"
	if h, err := NewHost("boot-test", cfg); err == nil {
		_ = h.Close()
		t.Error("two hosts serve their health at one address")
	}
	nothingLeft(t, before)
}

func nothingLeft(t *testing.T, before goleak.Option) {
	t.Helper()
	// go-micro's memory registry cannot be closed: its sweeper stays, one a process.
	// Its configuration, which nobody uses, begins to watch itself when the process does, in its own time.
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("go-micro.dev/v4/registry.(*memRegistry).ttlPrune"),
		goleak.IgnoreAnyFunction("go-micro.dev/v4/config.(*config).run"),
		goleak.IgnoreAnyFunction("go-micro.dev/v4/config/loader/memory.(*memory).watch"))
}

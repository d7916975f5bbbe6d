package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go-micro.dev/v4/registry"

	kitregistry "calotype/kit/registry"
	"calotype/proto"
	"calotype/test/servers"
)

// book is a Consul in which gateways are registered.
type book struct {
	t *testing.T
	*servers.Consul
	registry registry.Registry
}

func newBook(t *testing.T) *book {
	t.Helper()
	return bookAt(t, servers.NewConsul(t))
}

func bookAt(t *testing.T, consul *servers.Consul) *book {
	t.Helper()
	b := &book{t: t, Consul: consul}
	cfg := kitregistry.DefaultConfig()
	cfg.Kind, cfg.Addresses = kitregistry.Consul, []string{b.Addr}
	var err error
	if b.registry, err = kitregistry.New(cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *book) service(g *gateway) *registry.Service {
	return &registry.Service{Name: proto.Gateway, Version: "1", Nodes: []*registry.Node{{Id: "gateway-" + g.addr, Address: g.addr,
		Metadata: map[string]string{"protocol": "http"}}}}
}

func (b *book) join(g *gateway) {
	b.t.Helper()
	if err := b.registry.Register(b.service(g), registry.RegisterTTL(time.Minute)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) leave(g *gateway) {
	b.t.Helper()
	if err := b.registry.Deregister(b.service(g)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) env() string { return "CALOTYPE_REGISTRY__ADDRESSES=" + b.Addr }

func TestGatewaysComeAndGo(t *testing.T) {
	b := newBook(t)
	e := start(t, nil, b.env())

	// Before there is any, nginx answers.
	e.wantProblem(e.get("/v1/x"), 503, "UNAVAILABLE")
	e.wantProblem(e.do("POST", "/v1/x", strings.NewReader("{}")), 503, "UNAVAILABLE")
	if a := e.get("/readyz"); a.StatusCode != 503 || strings.Contains(a.body, "gateway") {
		t.Errorf("ready without a gateway: %d %s", a.StatusCode, a.body)
	}
	one, two := newGateway(t, hello), newGateway(t, hello)
	b.join(one)
	took := e.eventually("the first gateway is found", func() bool { return e.get("/v1/x").StatusCode == 200 })
	t.Logf("a gateway is found %v after it was registered", took)
	e.eventually("it is ready", func() bool { return e.get("/readyz").StatusCode == 200 && e.get(e.ops+"/readyz").StatusCode == 200 })
	b.join(two)
	took = e.eventually("the second gets work", func() bool { return e.get("/v1/x").Header.Get("X-Gateway") == two.addr })
	t.Logf("a second one gets work after %v", took)

	// Both get about the same.
	e.eventually("it is even", func() bool {
		before1, before2 := one.served.Load(), two.served.Load()
		for range 24 {
			e.get("/v1/x")
		}
		n1, n2 := one.served.Load()-before1, two.served.Load()-before2
		return n1 >= 10 && n2 >= 10
	})

	b.leave(one)
	took = e.eventually("no work goes to one that left", func() bool {
		before := one.served.Load()
		for range 24 {
			e.get("/v1/x")
		}
		return one.served.Load() == before
	})
	t.Logf("one that left gets no more work after %v", took)
	one.server.Close()

	// The registry's last word is not believed when it is that nobody is there, nor missed when it is silent.
	b.leave(two)
	e.eventually("the empty list came", func() bool { return e.metric(`calotype_edge_lists_total{kind="empty"}`) > 1 })
	if a := e.get("/v1/x"); a.StatusCode != 200 {
		t.Errorf("an empty list took the last gateway away: %d", a.StatusCode)
	}
	b.Kill()
	for range 50 {
		if a := e.get("/v1/x"); a.StatusCode != 200 {
			t.Fatalf("without the registry: %d", a.StatusCode)
		}
	}
	text, err := os.ReadFile(filepath.Join(e.dir, "gateways.json"))
	if err != nil || !strings.Contains(string(text), two.addr) || strings.Contains(string(text), one.addr) {
		t.Errorf("what is kept is %s, %v", text, err)
	}
	if n := e.metric(`calotype_edge_reloads_total{outcome="ok"}`); n != 0 {
		t.Errorf("nginx was reloaded %v times", n)
	}
}

// A start without the registry finds the gateways of the last run; those that are gone cost nothing but a try.
func TestTheLastListIsEnoughToStart(t *testing.T) {
	g := newGateway(t, hello)
	e := start(t, []string{"127.0.0.1:1", g.addr, "nonsense"})
	for range 100 {
		if a := e.do("POST", "/v1/x", strings.NewReader("x")); a.StatusCode != 200 {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
	}
	if g.served.Load() != 100 {
		t.Errorf("%d requests came of 100", g.served.Load())
	}
	broken := start(t, nil)
	broken.process.Stop()
	broken.write("gateways.json", "{")
	broken.process.Start()
	broken.wantProblem(broken.get("/v1/x"), 503, "UNAVAILABLE")
}

// load sends requests from many clients, each over a connection that it keeps, until it is ended.
type load struct {
	stop         context.CancelFunc
	done         sync.WaitGroup
	sent, failed atomic.Int64
	firstFailure atomic.Pointer[string]
}

func (e *edge) load(clients int, method string, think time.Duration) *load {
	l := &load{}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(e.t.Context())
	for i := range clients {
		l.done.Go(func() {
			transport := &http.Transport{MaxIdleConnsPerHost: 1}
			defer transport.CloseIdleConnections()
			for n := 0; ctx.Err() == nil; n++ {
				var body io.Reader
				if method == http.MethodPost {
					body = io.MultiReader(strings.NewReader(`{"n":1}`)) // not to be sent again by net/http
				}
				a, err := e.try(transport, method, fmt.Sprintf("/v1/load/%d/%d", i, n), body)
				if ctx.Err() != nil {
					return
				}
				if l.sent.Add(1); err != nil || a.StatusCode != 200 {
					l.failed.Add(1)
					text := fmt.Sprintf("%v %s", err, a.body)
					l.firstFailure.CompareAndSwap(nil, &text)
				}
				if think > 0 {
					hold(ctx, think)
				}
			}
		})
	}
	e.t.Cleanup(func() { l.end() })
	return l
}

func (l *load) end() (sent, failed int64, why string) {
	l.stop()
	l.done.Wait()
	if p := l.firstFailure.Load(); p != nil {
		why = *p
	}
	return l.sent.Load(), l.failed.Load(), why
}

func hold(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// leaving is a gateway that leaves as kit/boot's do: each answer is then the last of its connection.
func leaving(away *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			w.Header().Set("Connection", "close")
		}
		_, _ = io.Copy(io.Discard, r.Body)
		hello(w, r)
	}
}

// Gateways are replaced one after another under saturated POSTs over kept connections, which nobody may repeat: not one fails.
func TestARollingRestartFailsNothing(t *testing.T) {
	b := newBook(t)
	e := start(t, nil, b.env())
	awayOf := map[*gateway]*atomic.Bool{}
	add := func() *gateway {
		away := new(atomic.Bool)
		g := newGateway(t, leaving(away))
		awayOf[g] = away
		b.join(g)
		return g
	}
	all := []*gateway{add(), add()}
	e.eventually("both are there", func() bool { return e.metric(`calotype_edge_nodes{state="well"}`) == 2 })
	l := e.load(16, http.MethodPost, 0)
	for range 2 {
		for i, old := range all {
			awayOf[old].Store(true)
			b.leave(old)
			hold(t.Context(), 3*time.Second) // drain.wait
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if err := old.server.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			cancel()
			all[i] = add()
			fresh := all[i]
			e.eventually("the new one gets work", func() bool { return fresh.served.Load() > 0 })
		}
	}
	sent, failed, why := l.end()
	t.Logf("4 restarts under %d POSTs over kept connections: %d failed", sent, failed)
	if failed > 0 || sent == 0 {
		t.Errorf("%d of %d failed: %s", failed, sent, why)
	}
}

// What a dead gateway leaves unanswered goes to another when it may be done twice, and only then.
func TestTheNextGatewayIsForWhatMayBeRepeated(t *testing.T) {
	var broken, unwilling atomic.Int64
	breaks := newGateway(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		broken.Add(1)
		panic(http.ErrAbortHandler)
	})
	well := newGateway(t, hello)
	e := start(t, []string{breaks.addr, well.addr})
	for range 24 {
		if a := e.get("/v1/x"); a.StatusCode != 200 {
			t.Fatalf("a GET: %d %s", a.StatusCode, a.body)
		}
	}
	lost, before := 0, broken.Load()
	for range 24 {
		switch a := e.do("POST", "/v1/x", strings.NewReader("x")); a.StatusCode {
		case 502:
			lost++
			e.wantProblem(a, 502, "GATEWAY_LOST")
		case 200:
		default:
			t.Fatalf("a POST: %d %s", a.StatusCode, a.body)
		}
	}
	if lost == 0 || broken.Load()-before != int64(lost) || before == 0 {
		t.Errorf("%d POSTs were lost and %d executed; %d GETs had met the broken one", lost, broken.Load()-before, before)
	}

	busy := newGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		unwilling.Add(1)
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "its own words")
	})
	e = start(t, []string{busy.addr, well.addr})
	for range 24 {
		if a := e.get("/v1/x"); a.StatusCode != 200 {
			t.Fatalf("a GET past one that is busy: %d %s", a.StatusCode, a.body)
		}
	}
	if unwilling.Load() == 0 {
		t.Error("the busy one was never asked")
	}
	e = start(t, []string{busy.addr})
	if a := e.get("/v1/x"); a.StatusCode != 503 || a.body != "its own words" {
		t.Errorf("a gateway's own words: %d %s", a.StatusCode, a.body)
	}
}

// A gateway that hangs is found out by its silence; then what waits for it is given up, and repeated elsewhere where it may be.
func TestAFrozenGateway(t *testing.T) {
	b := newBook(t)
	e := start(t, nil, b.env())
	frozen, well := newGateway(t, hello), newGateway(t, hello)
	thaw := make(chan struct{})
	var ice atomic.Bool
	inner := frozen.server.Handler
	frozen.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ice.Load() {
			<-thaw
		}
		inner.ServeHTTP(w, r)
	})
	b.join(frozen)
	b.join(well)
	e.eventually("both are there", func() bool { return e.metric(`calotype_edge_nodes{state="well"}`) == 2 })
	ice.Store(true)
	defer close(thaw)
	began, worst, failed := time.Now(), time.Duration(0), 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			for time.Since(began) < 4*time.Second {
				at := time.Now()
				a, err := e.try(http.DefaultTransport, "GET", "/v1/x", nil)
				mu.Lock()
				worst = max(worst, time.Since(at))
				if err != nil || a.StatusCode != 200 {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t.Logf("a gateway that hangs: the slowest GET took %v (silence 1s), %d failed", worst, failed)
	if failed > 0 || worst > 20*time.Second {
		t.Errorf("%d failed, the slowest took %v", failed, worst)
	}
	if e.metric(`calotype_edge_connections_total{outcome="cut"}`) == 0 {
		t.Error("nothing was cut")
	}
}

// Told to leave, nginx finishes what it is at.
func TestLeavingFinishesWhatRuns(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		hello(w, r)
	})
	e := start(t, []string{g.addr})
	got := make(chan error, 1)
	go func() {
		a, err := e.try(http.DefaultTransport, "GET", "/v1/slow", nil)
		if err == nil && a.body != "hello" {
			err = fmt.Errorf("%d %s", a.StatusCode, a.body)
		}
		got <- err
	}()
	<-entered
	if err := syscall.Kill(e.process.Pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	e.eventually("it takes no new connections", func() bool {
		_, err := e.try(&http.Transport{DisableKeepAlives: true}, "GET", "/healthz", nil)
		return err != nil
	})
	close(release)
	if err := <-got; err != nil {
		t.Errorf("what was under way: %v", err)
	}
	e.eventually("it has ended", e.process.Ended)
	if e.process.ExitCode() != 0 {
		t.Errorf("it ended with %d\n%s", e.process.ExitCode(), e.process.Log())
	}
}

// The edge ends when nginx does, whatever killed it.
func TestItEndsWithNginx(t *testing.T) {
	e := start(t, nil)
	text, err := os.ReadFile(filepath.Join(e.dir, "run", "nginx.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil { // its workers too
		t.Fatal(err)
	}
	e.eventually("it has ended", e.process.Ended)
	if e.process.ExitCode() != 1 || !strings.Contains(e.process.Log(), "nginx ended by itself") {
		t.Errorf("it ended with %d\n%s", e.process.ExitCode(), e.process.Log())
	}
}

// A gateway that is killed costs the POSTs that were under way with it, which nobody may repeat, and nothing else.
func TestAKilledGateway(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		killed, well := newGateway(t, hello), newGateway(t, hello)
		e := start(t, []string{killed.addr, well.addr})
		const clients = 16
		l := e.load(clients, method, time.Millisecond)
		e.eventually("both work", func() bool { return killed.served.Load() > 100 && well.served.Load() > 100 })
		killed.server.Close()
		at := l.sent.Load()
		e.eventually("it goes on", func() bool { return l.sent.Load() > at+500 })
		sent, failed, why := l.end()
		t.Logf("one of two gateways killed under %ss: %d of %d failed %.120s", method, failed, sent, why)
		if method == http.MethodGet && failed > 0 || failed > 2*clients {
			t.Errorf("%ss: %d of %d failed: %s", method, failed, sent, why)
		}
	}
}

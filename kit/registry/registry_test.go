package registry

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go-micro.dev/v4/registry"

	"calotype/kit/fault"
)

func TestValidate(t *testing.T) {
	if fs := DefaultConfig().Validate(); fs != nil {
		t.Errorf("the defaults are wrong: %v", fs)
	}
	for path, change := range map[string]func(*Config){
		"kind":           func(c *Config) { c.Kind = "zookeeper" },
		"ttl":            func(c *Config) { c.TTL = 4 * time.Second },
		"interval":       func(c *Config) { c.Interval = 0 },
		"addresses":      func(c *Config) { c.Kind, c.Addresses = Consul, nil },
		"addresses[1]":   func(c *Config) { c.Kind, c.Addresses = Consul, []string{"a", "b:c:d"} },
		"datacenters":    func(c *Config) { c.Kind, c.Datacenters = Etcd, []string{"dc2"} },
		"token":          func(c *Config) { c.Kind, c.Token = Etcd, "x" },
		"datacenters[0]": func(c *Config) { c.Kind, c.Datacenter, c.Datacenters = Consul, "dc1", []string{"dc1", "dc2"} },
		"datacenters[1]": func(c *Config) { c.Kind, c.Datacenters = Consul, []string{"dc2", "dc2"} },
		"username":       func(c *Config) { c.Kind, c.Username = Etcd, "x" },
		"tls":            func(c *Config) { c.Kind, c.TLS.CAFile = Consul, "ca.pem" },
	} {
		c := DefaultConfig()
		change(&c)
		if fs := c.Validate(); len(fs) != 1 || fs[0].Path != path {
			t.Errorf("%s: %v", path, fs)
		}
		if _, err := New(c); fault.ReasonOf(err) != "BAD_CONFIG" {
			t.Errorf("%s: New gave %v", path, err)
		}
	}
}

func TestKinds(t *testing.T) {
	for _, kind := range []string{Memory, MDNS, Consul, Etcd} {
		c := DefaultConfig()
		c.Kind = kind
		r, err := New(c)
		if err != nil || r.String() != kind {
			t.Errorf("%s: %v, %v", kind, r, err)
		}
	}
	for _, kind := range []string{Consul, Etcd} {
		c := DefaultConfig()
		c.Kind, c.TLS.Enabled, c.TLS.CAFile = kind, true, "/does/not/exist.pem"
		if _, err := New(c); err == nil {
			t.Errorf("%s: TLS files that are not there were taken", kind)
		}
	}
}

// agent is a Consul agent that counts, and answers, fails or hangs.
type agent struct {
	*httptest.Server
	asked atomic.Int64
	hangs atomic.Bool
	code  atomic.Int64 // of its answers, where they are no good

	leaderless atomic.Bool
	body       atomic.Value
	token      atomic.Value
}

func newAgent(t *testing.T) *agent {
	a := &agent{}
	stop := make(chan struct{})
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		a.asked.Add(1)
		a.body.Store(string(b))
		a.token.Store(r.Header.Get("X-Consul-Token"))
		if a.hangs.Load() {
			<-stop
			return
		}
		w.Header().Set("X-Consul-Index", "7")
		if a.leaderless.Load() {
			w.Header().Set("X-Consul-Knownleader", "false")
		}
		if code := a.code.Load(); code != 0 {
			w.WriteHeader(int(code))
			_, _ = io.WriteString(w, "no")
			return
		}
		if strings.HasPrefix(r.URL.Path, "/v1/health/service/") {
			_, _ = io.WriteString(w, `[
			 {"Node":{"Address":"10.0.0.1"},"Service":{"ID":"a","Service":"s","Port":1,"Address":"10.0.0.9","Tags":[]},"Checks":[{"Status":"passing"}]},
			 {"Node":{"Address":"10.0.0.2"},"Service":{"ID":"a","Service":"s","Port":1,"Address":"10.0.0.9","Tags":[]},"Checks":[{"Status":"passing"}]},
			 {"Node":{"Address":"10.0.0.1"},"Service":{"ID":"b","Service":"s","Port":2,"Address":"10.0.0.9","Tags":[]},"Checks":[{"Status":"critical"}]}]`)
		}
	}))
	t.Cleanup(func() { close(stop); a.Close() })
	return a
}

func (a *agent) addr() string { return strings.TrimPrefix(a.URL, "http://") }

func consulAt(t *testing.T, addresses ...string) registry.Registry {
	t.Helper()
	c := DefaultConfig()
	c.Kind, c.Addresses, c.Token = Consul, addresses, "s3cret"
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var service = &registry.Service{Name: "s", Version: "1", Nodes: []*registry.Node{{Id: "a", Address: "10.0.0.9:1"}}}

func TestConsulGoesOnToTheNextAgent(t *testing.T) {
	down, up := newAgent(t), newAgent(t)
	r := consulAt(t, down.addr(), up.addr())
	if err := r.Register(service, registry.RegisterTTL(8*time.Second)); err != nil {
		t.Fatal(err)
	}
	if down.asked.Load() == 0 { // either may be asked first
		down, up = up, down
	}
	if down.asked.Load() == 0 || up.asked.Load() != 0 {
		t.Errorf("the first agent was asked %d times, the second %d", down.asked.Load(), up.asked.Load())
	}
	down.CloseClientConnections()
	down.Listener.Close()
	if err := r.Register(service, registry.RegisterTTL(8*time.Second)); err != nil {
		t.Fatal(err)
	}
	if up.asked.Load() == 0 || up.token.Load() != "s3cret" {
		t.Errorf("the second agent was asked %d times with token %v", up.asked.Load(), up.token.Load())
	}
	up.Listener.Close()
	up.CloseClientConnections()
	if err := r.Register(service, registry.RegisterTTL(8*time.Second)); err == nil || strings.Count(err.Error(), "agent 127.0.0.1") != 2 {
		t.Errorf("with every agent down: %v", err)
	}
}

// What one agent refuses another may grant; what all refuse is refused, in the words of the first.
func TestConsulAsksElsewhereWhatIsRefused(t *testing.T) {
	for _, code := range []int{http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		ill, well := newAgent(t), newAgent(t)
		ill.code.Store(int64(code))
		f := &failover{agents: []string{ill.addr(), well.addr()}, next: http.DefaultTransport}
		for range 2 {
			if got, text := status(t, f, http.MethodPut, "/v1/x"); got != http.StatusOK {
				t.Errorf("%d: the answer is %d %s", code, got, text)
			}
		}
		if ill.asked.Load() != 1 {
			t.Errorf("%d: who refused was asked %d times", code, ill.asked.Load())
		}
		well.code.Store(http.StatusBadGateway)
		if got, text := status(t, f, http.MethodPut, "/v1/x"); got != http.StatusBadGateway || text != "no" {
			t.Errorf("%d: when all refuse the answer is %d %q", code, got, text)
		}
		well.Listener.Close()
		well.CloseClientConnections()
		if got, text := status(t, f, http.MethodPut, "/v1/x"); got != code || text != "no" {
			t.Errorf("%d: when the other is away the answer is %d %q", code, got, text)
		}
	}
	ill, well := newAgent(t), newAgent(t)
	ill.code.Store(http.StatusNotFound)
	f := &failover{agents: []string{ill.addr(), well.addr()}, next: http.DefaultTransport}
	if got, _ := status(t, f, http.MethodGet, "/v1/x"); got != http.StatusNotFound || well.asked.Load() != 0 {
		t.Errorf("what is not there was looked for elsewhere: %d", got)
	}
}

// An agent that is cut off from the others still answers, with what it knew.
func TestConsulPrefersWhoKnowsALeader(t *testing.T) {
	cut, well := newAgent(t), newAgent(t)
	cut.leaderless.Store(true)
	f := &failover{agents: []string{cut.addr(), well.addr()}, next: http.DefaultTransport}
	if got, _ := status(t, f, http.MethodGet, "/v1/health/service/s?stale"); got != http.StatusOK || well.asked.Load() != 1 {
		t.Errorf("the answer is %d, the other was asked %d times", got, well.asked.Load())
	}
	well.leaderless.Store(true)
	if got, _ := status(t, f, http.MethodGet, "/v1/health/service/s?stale"); got != http.StatusOK {
		t.Errorf("nobody knows a leader, and the answer is %d", got)
	}
}

// A node that leaves leaves all agents that have it.
func TestANodeLeavesEveryAgent(t *testing.T) {
	a, b, never := newAgent(t), newAgent(t), newAgent(t)
	f := &failover{agents: []string{a.addr(), b.addr(), never.addr()}, next: http.DefaultTransport}
	register, leave := "/v1/agent/service/register", "/v1/agent/service/deregister/s-1"
	status(t, f, http.MethodPut, register)
	a.code.Store(http.StatusServiceUnavailable)
	status(t, f, http.MethodPut, register)
	a.code.Store(0)
	if got, text := status(t, f, http.MethodPut, leave); got != http.StatusOK {
		t.Errorf("leaving gives %d %s", got, text)
	}
	if a.asked.Load() != 3 || b.asked.Load() != 2 || never.asked.Load() != 0 {
		t.Errorf("asked were %d, %d and %d times", a.asked.Load(), b.asked.Load(), never.asked.Load())
	}
	b.Listener.Close()
	b.CloseClientConnections()
	a.code.Store(http.StatusNotFound)
	if got, _ := status(t, f, http.MethodPut, leave); got != http.StatusNotFound {
		t.Errorf("leaving an agent that has forgotten gives %d", got)
	}
}

func status(t *testing.T, f *failover, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://consul"+path, strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := f.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rsp.StatusCode, string(text)
}

func TestAFrozenConsulIsNotWaitedFor(t *testing.T) {
	frozen, up := newAgent(t), newAgent(t)
	frozen.hangs.Store(true)
	f := &failover{agents: []string{frozen.addr(), up.addr()}, next: http.DefaultTransport}
	ask := func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://consul/v1/x", strings.NewReader("the body"))
		if err != nil {
			return err
		}
		rsp, err := f.RoundTrip(req)
		if err != nil {
			return err
		}
		return rsp.Body.Close()
	}
	start := time.Now()
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < answer || took > 3*answer {
		t.Errorf("it took %v", took)
	}
	if up.body.Load() != "the body" {
		t.Errorf("the second agent was sent %q", up.body.Load())
	}
	// The frozen one is not asked first again.
	if err := ask(); err != nil || frozen.asked.Load() != 1 || up.asked.Load() != 2 {
		t.Errorf("asked %d and %d times, %v", frozen.asked.Load(), up.asked.Load(), err)
	}
}

func TestPatience(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"": answer, "index=0&wait=20s": answer, "index=5&wait=16s": 17*time.Second + answer, "index=5": 5*time.Minute + 18750*time.Millisecond + answer,
	} {
		if got := patience(httptest.NewRequest(http.MethodGet, "/?"+query, nil)); got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

func TestConsulGivesNeitherCriticalNodesNorOneTwice(t *testing.T) {
	r := consulAt(t, newAgent(t).addr())
	got, err := r.GetService("s")
	if err != nil || len(got) != 1 || len(got[0].Nodes) != 1 || got[0].Nodes[0].Id != "a" || got[0].Nodes[0].Address != "10.0.0.9:1" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := r.GetService("other"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a service that is not there: %v", err)
	}
}

func TestConsulWatch(t *testing.T) {
	r := consulAt(t, newAgent(t).addr())
	if _, err := r.Watch(); err == nil {
		t.Error("a watch of everything was taken")
	}
	w, err := r.Watch(registry.WatchService("s"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Next()
	if err != nil || got.Action != "create" || len(got.Service.Nodes) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	w.Stop()
	if _, err := w.Next(); !errors.Is(err, registry.ErrWatcherStopped) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestChanges(t *testing.T) {
	n := func(id, addr string) *registry.Node { return &registry.Node{Id: id, Address: addr} }
	s := func(version string, nodes ...*registry.Node) *registry.Service {
		return &registry.Service{Name: "s", Version: version, Nodes: nodes}
	}
	before := []*registry.Service{s("1", n("a", "x:1"), n("b", "x:2")), s("2", n("c", "x:3"))}
	now := []*registry.Service{s("1", n("a", "x:9")), s("3", n("d", "x:4"))}
	want := []*registry.Result{
		{Action: "delete", Service: s("1", n("a", "x:1"), n("b", "x:2"))},
		{Action: "delete", Service: s("2", n("c", "x:3"))},
		{Action: "update", Service: now[0]},
		{Action: "create", Service: now[1]},
	}
	if d := cmp.Diff(want, changes(before, now)); d != "" {
		t.Error(d)
	}
}

func TestItTellsWhereItIs(t *testing.T) {
	r, err := New(Config{Kind: Consul, Addresses: []string{"consul-1", "consul-2:8501"}, TTL: 8 * time.Second, Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Options().Addrs; !slices.Equal(got, []string{"consul-1:8500", "consul-2:8501"}) {
		t.Errorf("its agents are %q", got)
	}
	r, err = New(Config{Kind: Etcd, Addresses: []string{"etcd-1", "etcd-2:2380"}, TTL: 8 * time.Second, Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Options().Addrs; !slices.Equal(got, []string{"etcd-1:2379", "etcd-2:2380"}) {
		t.Errorf("its servers are %q", got)
	}
}

package leader_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"calotype/kit/fault"
	"calotype/kit/leader"
	"calotype/kit/registry"
	"calotype/test/servers"
)

// kinds gives electors of one service, for processes of the names asked for.
func kinds(t *testing.T) map[string]func(t *testing.T, node string) *process {
	t.Helper()
	consul, etcd := servers.NewConsul(t), servers.NewEtcd(t)
	var local *process // is the one process there is
	return map[string]func(*testing.T, string) *process{
		leader.Consul: func(t *testing.T, node string) *process {
			return newProcess(t, node, at(3*time.Second, consul.Addr))
		},
		leader.Etcd: func(t *testing.T, node string) *process {
			return newProcess(t, node, on(leader.Etcd, 3*time.Second, etcd.Addr))
		},
		leader.Local: func(t *testing.T, node string) *process {
			if local == nil {
				local = newProcess(t, node, at(3*time.Second))
			}
			return local
		},
	}
}

// setting is what a process is made with.
type setting struct {
	cfg leader.Config
	reg registry.Config
}

// at elects by the agents of Consul's named, or locally.
func at(ttl time.Duration, agents ...string) setting {
	if len(agents) == 0 {
		return setting{leader.Config{Kind: leader.Local, TTL: ttl, Prefix: leader.DefaultConfig().Prefix}, registry.DefaultConfig()}
	}
	return on(leader.Consul, ttl, agents...)
}

// on elects by the servers named, which are of a kind.
func on(kind string, ttl time.Duration, servers ...string) setting {
	s := setting{leader.DefaultConfig(), registry.DefaultConfig()}
	s.cfg.TTL, s.reg.Kind, s.reg.Addresses = ttl, kind, servers // whoever has a registry elects there
	return s
}

// server keeps the votes, of a kind.
type server struct {
	*servers.Process
	kind, addr string
}

// onEach runs a test with a server of each kind.
func onEach(t *testing.T, test func(t *testing.T, s server)) {
	t.Run(leader.Consul, func(t *testing.T) {
		c := servers.NewConsul(t)
		test(t, server{c.Process, leader.Consul, c.Addr})
	})
	t.Run(leader.Etcd, func(t *testing.T) {
		e := servers.NewEtcd(t)
		test(t, server{e.Process, leader.Etcd, e.Addr})
	})
}

type process struct {
	leader.Elector
	node    string
	metrics *prometheus.Registry
	log     *buffer
}

func newProcess(t *testing.T, node string, s setting) *process {
	t.Helper()
	p := &process{node: node, metrics: prometheus.NewRegistry(), log: &buffer{}}
	var err error
	p.Elector, err = leader.New(s.cfg, s.reg, leader.Process{
		Service: strings.ToLower(strings.NewReplacer("/", "-").Replace(t.Name())), Node: node,
		Log: slog.New(slog.NewTextHandler(p.log, nil)), Metrics: p.metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := p.Elector.(io.Closer); ok {
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s logged:\n%s", node, p.log)
		}
	})
	return p
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// standing is a process in a Lead of its own.
type standing struct {
	terms chan leader.Term
	end   func() // and wait
}

// stand leads until its context ends, and tells of each term.
func (p *process) stand(t *testing.T, duty string) standing {
	t.Helper()
	terms := make(chan leader.Term, 100)
	return p.standWith(t, duty, terms, func(ctx context.Context, term leader.Term) error {
		terms <- term
		<-ctx.Done()
		return ctx.Err()
	})
}

func (p *process) standWith(t *testing.T, duty string, terms chan leader.Term, work leader.Work) standing {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Lead(ctx, duty, work) }()
	s := standing{terms: terms, end: sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Lead gave %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Lead does not end")
		}
	})}
	t.Cleanup(s.end)
	return s
}

func (s standing) next(t *testing.T, within time.Duration) leader.Term {
	t.Helper()
	select {
	case term := <-s.terms:
		return term
	case <-time.After(within):
		t.Fatalf("it does not lead after %v", within)
		return leader.Term{}
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); !ok(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("never: %s", what)
		}
	}
}

const soon = 10 * time.Second

func TestConformance(t *testing.T) {
	for kind, open := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			exercise(t, open)
		})
	}
}

func exercise(t *testing.T, open func(t *testing.T, node string) *process) {
	a := open(t, "a")
	if _, err := a.Leader(t.Context(), "sweep"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("with nobody: %v", err)
	}
	for _, bad := range []string{"", "Sweep", "a/b", strings.Repeat("a", 64)} {
		if err := a.Lead(t.Context(), bad, nil); fault.ReasonOf(err) != "BAD_DUTY" {
			t.Errorf("a duty called %q: %v", bad, err)
		}
	}
	one := a.stand(t, "sweep")
	first := one.next(t, soon)
	if first.Duty != "sweep" || first.Node != "a" || first.Fence <= 0 || time.Since(first.Since).Abs() > time.Minute {
		t.Errorf("the first term is %+v", first)
	}
	if h, err := a.Leader(t.Context(), "sweep"); err != nil || h.Node != "a" || h.Fence != first.Fence || !h.Since.Equal(first.Since) || h.Heartbeat.Before(first.Since) {
		t.Errorf("it leads: %+v, %v", h, err)
	}
	b := open(t, "b")
	two := b.stand(t, "sweep")
	// Another duty is another matter: who stands by here leads there.
	other := b.stand(t, "collect")
	other.next(t, soon)
	if got := b.Terms(); !slices.ContainsFunc(got, func(t leader.Term) bool { return t.Duty == "collect" }) {
		t.Errorf("b's terms are %+v", got)
	}
	select {
	case term := <-two.terms:
		t.Fatalf("two lead: %+v", term)
	default:
	}
	if got := gauges(t, a)["sweep"]; got != 1 {
		t.Errorf("a's gauge is %v", got)
	}

	start := time.Now()
	one.end()
	second := two.next(t, soon)
	t.Logf("handed over in %v", time.Since(start).Round(time.Millisecond))
	if second.Fence <= first.Fence || second.Node != b.node {
		t.Errorf("the second term is %+v, after %+v", second, first)
	}
	two.end()
	if _, err := a.Leader(t.Context(), "sweep"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("after everybody left: %v", err)
	}
	other.end()
	if got := b.Terms(); len(got) != 0 {
		t.Errorf("after everybody left, b's terms are %+v", got)
	}

	// Work that fails begins again, in another term.
	calls := make(chan leader.Term, 10)
	three := a.standWith(t, "sweep", calls, func(_ context.Context, term leader.Term) error {
		calls <- term
		if len(calls) == 1 {
			return errors.New("out of luck")
		}
		panic("out of patience")
	})
	fences := []int64{second.Fence}
	for range 3 {
		fences = append(fences, three.next(t, soon).Fence)
	}
	three.end()
	if !slices.IsSorted(fences) || len(slices.Compact(fences)) != 4 {
		t.Errorf("fences are %v", fences)
	}
	if log := a.log.String(); !strings.Contains(log, "out of luck") && !strings.Contains(log, "out of patience") {
		t.Error("what the work said is not logged")
	}
	if got := gauges(t, a)["sweep"]; got != 0 {
		t.Errorf("a's gauge is %v in the end", got)
	}
	if n, err := testutil.GatherAndCount(a.metrics, "calotype_leader_transitions_total"); err != nil || n < 2 {
		t.Errorf("%d transitions are counted, %v", n, err)
	}
}

func gauges(t *testing.T, p *process) map[string]float64 {
	t.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "calotype_leader" {
			for _, m := range f.GetMetric() {
				out[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return out
}

func TestConfig(t *testing.T) {
	if fs := leader.DefaultConfig().Validate(); fs != nil {
		t.Errorf("the defaults are wrong: %v", fs)
	}
	for path, change := range map[string]func(*leader.Config){
		"kind":   func(c *leader.Config) { c.Kind = "zookeeper" },
		"ttl":    func(c *leader.Config) { c.TTL = 999 * time.Millisecond },
		"prefix": func(c *leader.Config) { c.Prefix = "/a" },
	} {
		c := leader.DefaultConfig()
		change(&c)
		if fs := c.Validate(); len(fs) != 1 || fs[0].Path != path {
			t.Errorf("%s: %v", path, fs)
		}
		if _, err := leader.New(c, registry.DefaultConfig(), leader.Process{}); fault.ReasonOf(err) != "BAD_CONFIG" {
			t.Errorf("%s: New gave %v", path, err)
		}
	}
	r := registry.DefaultConfig()
	c := leader.DefaultConfig()
	c.Kind, r.Addresses = leader.Consul, nil
	if _, err := leader.New(c, r, leader.Process{}); fault.ReasonOf(err) != "BAD_CONFIG" {
		t.Errorf("without agents: %v", err)
	}
}

func TestMain(m *testing.M) {
	if child() {
		return
	}
	ignored := []goleak.Option{goleak.IgnoreCurrent()}
	for _, f := range []string{ // connections that are kept, and what go-micro starts by itself
		"net/http.(*persistConn).readLoop", "net/http.(*persistConn).writeLoop",
		"go-micro.dev/v4/config.(*config).run", "go-micro.dev/v4/config.(*config).run.func2", "go-micro.dev/v4/config/loader/memory.(*memory).Watch.func1",
	} {
		ignored = append(ignored, goleak.IgnoreAnyFunction(f))
	}
	goleak.VerifyTestMain(m, ignored...)
}

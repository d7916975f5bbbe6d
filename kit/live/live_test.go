package live_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/kit/live"
	"calotype/kit/registry"
	"calotype/test/servers"
)

// What two parts of a process may be told while it runs; they know nothing of each other.
type limits struct {
	Limits struct {
		Upload config.Size `koanf:"upload" live:"true"`
		Header config.Size `koanf:"header"`
	} `koanf:"limits"`
}

type words struct {
	Image struct {
		Words map[string]string `koanf:"words" live:"true"`
	} `koanf:"image"`
}

// process has two parts, of which the second refuses a bad word only when it is compiled.
type process struct {
	*live.Settings
	upload  atomic.Int64
	words   atomic.Pointer[map[string]string]
	metrics *prometheus.Registry
	log     *lines
}

func newProcess(t *testing.T, cfg live.Config, r registry.Config) *process {
	t.Helper()
	p := &process{metrics: prometheus.NewRegistry(), log: &lines{}}
	var err error
	p.Settings, err = live.New(cfg, r, live.Process{Log: slog.New(slog.NewTextHandler(p.log, nil)), Metrics: p.metrics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	var l limits
	l.Limits.Upload = config.MiB
	live.Take(p.Settings, l, func(l limits) (func(), error) { return func() { p.upload.Store(int64(l.Limits.Upload)) }, nil })
	var w words
	w.Image.Words = map[string]string{"web": "built in"}
	live.Take(p.Settings, w, func(w words) (func(), error) {
		if w.Image.Words["bad"] != "" {
			return nil, errors.New("a bad word")
		}
		return func() { p.words.Store(&w.Image.Words) }, nil
	})
	return p
}

func (p *process) is(upload config.Size, word string) bool {
	words := p.words.Load()
	return config.Size(p.upload.Load()) == upload && words != nil && (*words)["web"] == word
}

func (p *process) gauge(t *testing.T, name string) float64 {
	t.Helper()
	all, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// story is what any source must do with what is written to it; write("") takes the document away.
func story(t *testing.T, p *process, write func(text string)) {
	p.Start()
	if !p.is(config.MiB, "built in") {
		t.Fatalf("without a document there are %v, %v", p.upload.Load(), p.words.Load())
	}
	write("limits: {upload: 2MiB}\nimage: {words: {web: ours}}\nother: {x: 1}\n")
	await(t, "the document is in force", func() bool { return p.is(2*config.MiB, "ours") })
	first := p.State()
	if first.Version == 0 || first.Rejected != 0 || p.gauge(t, "calotype_live_version") != float64(first.Version) {
		t.Errorf("the state is %v", first)
	}
	// Wrong in one part, however: nothing of it counts, and it is told where it is wrong.
	for text, why := range map[string]string{
		"limits: {upload: 3MiB}\nimage: {words: {bad: x}}":      "a bad word",
		"image: {words: {web: theirs}}\nlimits: {upload: much}": ":2: limits.upload: \"much\" is not a size",
		"image: {words: {web: theirs}}\nlimits: {header: 1MiB}": ":2: limits.header: cannot change while a process runs",
		"image: {words: {web: theirs}}\nlimits: {uplaod: 1MiB}": ":2: no such key as limits.uplaod; did you mean limits.upload?",
		"image: {words: {web: theirs}":                          "is not YAML",
	} {
		write(text)
		await(t, "it is refused: "+why, func() bool {
			s := p.State()
			return s.Rejected > first.Version && strings.Contains(s.String(), why)
		})
		if !p.is(2*config.MiB, "ours") || p.State().Version != first.Version || p.gauge(t, "calotype_live_rejected_version") == 0 {
			t.Errorf("%s: something has changed: %v", why, p.State())
		}
	}
	if !strings.Contains(p.log.String(), "did you mean limits.upload?") {
		t.Errorf("it logged %s", p.log)
	}
	write(`{"limits": {"upload": "4MiB"}}`)
	await(t, "the next good one is in force", func() bool { return p.is(4*config.MiB, "built in") })
	if s := p.State(); s.Rejected != 0 || s.Version <= first.Version || p.gauge(t, "calotype_live_rejected_version") != 0 {
		t.Errorf("the state is %v", s)
	}
	write("")
	await(t, "all is as at the start", func() bool { return p.is(config.MiB, "built in") })
	if n, err := testutil.GatherAndCount(p.metrics, "calotype_live_documents_total"); n != 2 || err != nil {
		t.Errorf("%d results are counted, %v", n, err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live.yaml")
	cfg := live.DefaultConfig()
	cfg.Kind, cfg.File = live.File, path
	story(t, newProcess(t, cfg, registry.DefaultConfig()), func(text string) {
		if text == "" {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	})
}

func consulAt(addresses ...string) (live.Config, registry.Config) {
	cfg, r := live.DefaultConfig(), registry.DefaultConfig()
	cfg.Kind, r.Addresses = live.Consul, addresses
	return cfg, r
}

func open(t *testing.T, cfg live.Config, r registry.Config) *live.Store {
	t.Helper()
	s, err := live.Open(cfg, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// write puts text in the place of whatever there is.
func write(t *testing.T, s *live.Store, text string) uint64 {
	t.Helper()
	_, seen, err := s.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	version, err := s.Put(t.Context(), []byte(text), seen)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func TestConsul(t *testing.T) {
	cfg, r := consulAt(servers.NewConsul(t).Addr)
	s := open(t, cfg, r)
	story(t, newProcess(t, cfg, r), func(text string) { write(t, s, text) })
}

func etcdAt(addresses ...string) (live.Config, registry.Config) {
	cfg, r := live.DefaultConfig(), registry.DefaultConfig()
	cfg.Kind, r.Kind, r.Addresses = live.Etcd, registry.Etcd, addresses
	return cfg, r
}

func TestEtcd(t *testing.T) {
	cfg, r := etcdAt(servers.NewEtcd(t).Addr)
	s := open(t, cfg, r)
	story(t, newProcess(t, cfg, r), func(text string) { write(t, s, text) })
}

// Two who change it know of each other, and where the leader of three servers is killed, nobody notices.
func TestOnlyOneIsFirstInEtcd(t *testing.T) {
	cluster := servers.NewEtcdCluster(t, 3)
	cfg, r := etcdAt(cluster.Addresses()...)
	cfg.Kind = live.Off // who only writes is told by the registry where
	s := open(t, cfg, r)
	if text, version, err := s.Get(t.Context()); err != nil || version != 0 || text != nil || s.Name() != "etcd:calotype/config" {
		t.Fatalf("at first %s has %q of version %d, %v", s.Name(), text, version, err)
	}
	if _, err := s.Put(t.Context(), []byte("a: 1"), 7); fault.ReasonOf(err) != "LIVE_CHANGED" {
		t.Errorf("a version that is not there was replaced: %v", err)
	}
	first, err := s.Put(t.Context(), []byte("a: 1"), 0)
	if err != nil || first == 0 {
		t.Fatalf("version %d, %v", first, err)
	}
	cluster.Leader().Kill()
	next, err := s.Put(t.Context(), []byte("a: 2"), first)
	if err != nil || next <= first {
		t.Fatalf("version %d, %v", next, err)
	}
	if _, err := s.Put(t.Context(), []byte("a: 3"), first); fault.ReasonOf(err) != "LIVE_CHANGED" || fault.KindOf(err) != fault.Conflict {
		t.Errorf("an old version was replaced: %v", err)
	}
	if got, at, err := s.Get(t.Context()); err != nil || string(got) != "a: 2" || at != next {
		t.Errorf("there is %q of version %d, %v", got, at, err)
	}
}

// Two who change it know of each other; and where one of three servers is away, nobody notices.
func TestOnlyOneIsFirst(t *testing.T) {
	cluster := servers.NewConsulCluster(t, 3)
	cfg, r := consulAt(cluster.Addresses()...)
	r.Token = config.Secret(cluster.Management)
	s := open(t, cfg, r)
	text, version, err := s.Get(t.Context())
	if err != nil || version == 0 || !strings.Contains(string(text), "{}") {
		t.Fatalf("at first there is %q of version %d, %v", text, version, err)
	}
	if _, err := s.Put(t.Context(), []byte("a: 1"), 0); fault.ReasonOf(err) != "LIVE_CHANGED" {
		t.Errorf("what is there was taken for missing: %v", err)
	}
	next, err := s.Put(t.Context(), []byte("a: 1"), version)
	if err != nil || next <= version {
		t.Fatalf("version %d, %v", next, err)
	}
	if _, err := s.Put(t.Context(), []byte("a: 2"), version); fault.ReasonOf(err) != "LIVE_CHANGED" || fault.KindOf(err) != fault.Conflict {
		t.Errorf("an old version was replaced: %v", err)
	}
	cluster.Leader().Kill()
	if got, at, err := s.Get(t.Context()); err != nil || string(got) != "a: 1" || at != next {
		t.Errorf("there is %q of version %d, %v", got, at, err)
	}
	r.Token = config.Secret(cluster.Tokens["gateway"])
	if _, _, err := open(t, cfg, r).Get(t.Context()); err != nil {
		t.Errorf("a service's token: %v", err)
	}
	if _, err := open(t, cfg, r).Put(t.Context(), []byte("a: 3"), next); err == nil {
		t.Error("a service's token wrote it")
	}
}

// Consul's absence, or etcd's, changes nothing, and what was written meanwhile counts when it is back. A process that starts without it
// begins with what it was started with.
func TestAway(t *testing.T) {
	t.Run(live.Consul, func(t *testing.T) {
		// Not one in development mode, which forgets.
		cluster := servers.NewConsulCluster(t, 1)
		cfg, r := consulAt(cluster.Nodes[0].Addr)
		r.Token = config.Secret(cluster.Management)
		away(t, cfg, r, cluster.Nodes[0].Process)
	})
	t.Run(live.Etcd, func(t *testing.T) {
		etcd := servers.NewEtcd(t)
		cfg, r := etcdAt(etcd.Addr)
		away(t, cfg, r, etcd.Process)
	})
}

func away(t *testing.T, cfg live.Config, r registry.Config, server *servers.Process) {
	s := open(t, cfg, r)
	write(t, s, "limits: {upload: 2MiB}")
	p := newProcess(t, cfg, r)
	p.Start()
	if !p.is(2*config.MiB, "built in") {
		t.Error("a process has started, and the document is not in force")
	}
	server.Kill()
	await(t, "its absence is noticed", func() bool { return strings.Contains(p.log.String(), "cannot be followed") })
	late := newProcess(t, cfg, r)
	began := time.Now()
	late.Start()
	t.Logf("without it a process starts after %v", time.Since(began).Round(time.Millisecond))
	if !p.is(2*config.MiB, "built in") {
		t.Error("without it something has changed")
	}
	server.Start()
	back := time.Now()
	await(t, "who started without it has the document", func() bool { return late.is(2*config.MiB, "built in") })
	t.Logf("%v after its return the document is in force", time.Since(back).Round(time.Millisecond))
	write(t, s, "limits: {upload: 3MiB}")
	await(t, "both follow", func() bool { return p.is(3*config.MiB, "built in") && late.is(3*config.MiB, "built in") })

	server.Freeze()
	await(t, "a frozen one is noticed", func() bool { return strings.Count(p.log.String(), "cannot be followed") > 1 })
	server.Thaw()
	write(t, s, "limits: {upload: 4MiB}")
	await(t, "both follow again", func() bool { return p.is(4*config.MiB, "built in") && late.is(4*config.MiB, "built in") })
}

func TestOffAndOrder(t *testing.T) {
	p := newProcess(t, live.DefaultConfig(), registry.DefaultConfig())
	p.Start()
	p.Start()
	if p.State() != (live.State{}) || p.words.Load() != nil {
		t.Errorf("off, yet the state is %v", p.State())
	}
	p.Close()
	p.Close()
	unstarted := newProcess(t, live.DefaultConfig(), registry.DefaultConfig())
	unstarted.Close()
	unstarted.Start()

	// A part that comes later takes on what is in force.
	cfg := live.DefaultConfig()
	cfg.Kind, cfg.File = live.File, filepath.Join(t.TempDir(), "live.yaml")
	if err := os.WriteFile(cfg.File, []byte("limits: {upload: 5MiB}"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := newProcess(t, cfg, registry.DefaultConfig())
	q.Start()
	var got config.Size
	live.Take(q.Settings, limits{}, func(l limits) (func(), error) { return func() { got = l.Limits.Upload }, nil })
	if got != 5*config.MiB {
		t.Errorf("a late part has %v", got)
	}
}

func TestConfig(t *testing.T) {
	if fs := live.DefaultConfig().Validate(); fs != nil {
		t.Errorf("the defaults are wrong: %v", fs)
	}
	for path, c := range map[string]live.Config{
		"kind": {Kind: "zookeeper", Key: "a"}, "key": {Kind: live.Consul, Key: "/a"}, "file": {Kind: live.File, Key: "a"},
	} {
		if fs := c.Validate(); len(fs) != 1 || fs[0].Path != path {
			t.Errorf("%+v: %v", c, fs)
		}
		if _, err := live.New(c, registry.DefaultConfig(), live.Process{}); fault.ReasonOf(err) != "BAD_CONFIG" {
			t.Errorf("%+v: New gave %v", c, err)
		}
	}
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-again.C:
		}
	}
}

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

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("go-micro.dev/v4/config.(*config).run"), goleak.IgnoreAnyFunction("go-micro.dev/v4/config.(*config).run.func2"),
		goleak.IgnoreAnyFunction("go-micro.dev/v4/config/loader/memory.(*memory).Watch.func1"))
}

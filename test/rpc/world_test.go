package rpc

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/client"
	microregistry "go-micro.dev/v4/registry"

	"calotype/kit/registry"
	"calotype/kit/rpc"
	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/servers"
)

const service = "rpc-test-node"

// world is a registry, the nodes that register there, and a client that finds them there.
type world struct {
	kind     string
	server   *servers.Process // that keeps the registry, where one does
	agents   []string         // that clients and nodes know
	registry microregistry.Registry
	client   *rpc.Client
	greeter  greeterv1.GreeterService
	books    string
	silences atomic.Int64
}

// observe counts nodes that seem silent: where the machine has other things to do, some do without any fault.
func (w *world) observe(_ string, e rpc.Event) {
	if e == rpc.EventSilent {
		w.silences.Add(1)
	}
}

// onEach runs a test on each registry.
func onEach(t *testing.T, test func(t *testing.T, kind string)) {
	for _, kind := range []string{registry.Consul, registry.Etcd} {
		t.Run(kind, func(t *testing.T) { test(t, kind) })
	}
}

// usual is the registry of the tests that are not run on each: `make faults` runs all again with etcd.
func usual() string { return cmp.Or(os.Getenv("RPC_TEST_REGISTRY"), registry.Consul) }

// newWorld has one server of the usual registry.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, usual())
}

// newWorldOn has one server, to which there may be other ways than straight to its address.
func newWorldOn(t *testing.T, kind string, ways ...func(to string) string) *world {
	t.Helper()
	var server *servers.Process
	var addr string
	if kind == registry.Etcd {
		e := servers.NewEtcd(t)
		server, addr = e.Process, e.Addr
	} else {
		c := servers.NewConsul(t)
		server, addr = c.Process, c.Addr
	}
	agents := []string{addr}
	for _, way := range ways {
		agents = append(agents, way(addr))
	}
	w := newWorldAt(t, kind, agents)
	w.server = server
	return w
}

// newWorldAt has the servers that are at the addresses, and know other datacenters.
func newWorldAt(t *testing.T, kind string, agents []string, datacenters ...string) *world {
	t.Helper()
	w := &world{kind: kind, agents: agents, books: t.TempDir()}
	cfg := registry.DefaultConfig()
	cfg.Kind, cfg.Addresses, cfg.Datacenters = kind, w.agents, datacenters
	var err error
	if w.registry, err = registry.New(cfg); err != nil {
		t.Fatal(err)
	}
	w.client = rpc.NewClient(rpc.ClientConfig{Log: slog.New(slog.DiscardHandler), Observe: w.observe}, client.Registry(w.registry))
	t.Cleanup(func() { _ = w.client.Close() })
	w.greeter = greeterv1.NewGreeterService(service, w.client)
	return w
}

// start runs a node as a process of its own and waits until it is ready.
func (w *world) start(t *testing.T, id string, env ...string) *servers.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ops := servers.FreePort(t)
	return servers.Run(t, servers.Program{
		Path: self,
		Env: append([]string{
			asNode + "=" + id, "RPC_TEST_BOOK=" + w.book(id), "RPC_TEST_SERVICE=" + service,
			"CALOTYPE_REGISTRY__KIND=" + w.kind, "CALOTYPE_REGISTRY__ADDRESSES=" + strings.Join(w.agents, ","), "CALOTYPE_OPS__LISTEN=" + ops,
			"CALOTYPE_RPC__LISTEN=127.0.0.1:0", "CALOTYPE_LOG__LEVEL=warn", "CALOTYPE_DRAIN__WAIT=1s",
		}, env...),
		Ready: func(ctx context.Context, _ *servers.Process) error {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/readyz", nil)
			if err != nil {
				return err
			}
			rsp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer rsp.Body.Close()
			if rsp.StatusCode != http.StatusOK {
				return fmt.Errorf("%s: %s", id, rsp.Status)
			}
			return nil
		},
	})
}

// three nodes, all of which the client has found.
func (w *world) three(t *testing.T) []*servers.Process {
	t.Helper()
	var list []*servers.Process
	for i := range 3 {
		list = append(list, w.start(t, fmt.Sprint("n", i), "CALOTYPE_RPC__LISTEN="+servers.FreePort(t)))
	}
	w.answers(t, "n0", "n1", "n2")
	return list
}

func (w *world) book(id string) string { return filepath.Join(w.books, id) }

// notes are the lines of every node's book.
func (w *world) notes(t *testing.T) []string {
	t.Helper()
	var lines []string
	books, err := filepath.Glob(filepath.Join(w.books, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range books {
		text, err := os.ReadFile(b)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })...)
	}
	return lines
}

// answers waits until each of the nodes has answered a call, and tells how long that took.
func (w *world) answers(t *testing.T, ids ...string) time.Duration {
	t.Helper()
	began, missing := time.Now(), slices.Clone(ids)
	eventually(t, fmt.Sprint("answers of ", ids), func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := w.greeter.Hello(ctx, &greeterv1.HelloRequest{}, rpc.WithRoundRobin())
		if err == nil {
			missing = slices.DeleteFunc(missing, func(id string) bool { return id == r.GetNode().GetId() })
		}
		return len(missing) == 0
	})
	return time.Since(began)
}

// alone is set by `make faults`, which runs these tests with nothing beside them.
var alone = os.Getenv("FAULTS_ALONE") != ""

// lasting is how long a fault lasts: long where nothing else waits for the tests to end.
func lasting(long, short time.Duration) time.Duration {
	if alone {
		return long
	}
	return short
}

// late tells of a time that is longer than it should be. On a machine that does other things meanwhile, that says nothing of ours.
func late(t *testing.T, format string, args ...any) {
	t.Helper()
	if alone {
		t.Errorf(format, args...)
		return
	}
	t.Logf(format+" (make faults, with nothing beside it, would fail on this)", args...)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(2*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// load is calls at a steady rate, whatever becomes of them.
type load struct {
	stop context.CancelFunc
	wait sync.WaitGroup
	mu   sync.Mutex
	all  []sample
}

type sample struct {
	began time.Time
	took  time.Duration
	err   error
	node  string
}

// deadline is every call's.
const deadline = 5 * time.Second

func startLoad(t *testing.T, perSecond int, call func(context.Context) (*greeterv1.HelloResponse, error)) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	l.wait.Go(func() {
		began, made := time.Now(), 0
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// A ticker drops what comes too late; the rate must hold.
			for due := int(time.Since(began).Seconds() * float64(perSecond)); made < due; made++ {
				l.wait.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), deadline)
					defer cancel()
					s := sample{began: time.Now()}
					r, err := call(ctx)
					s.took, s.err, s.node = time.Since(s.began), err, r.GetNode().GetId()
					l.mu.Lock()
					l.all = append(l.all, s)
					l.mu.Unlock()
				})
			}
		}
	})
	t.Cleanup(l.end)
	return l
}

func (l *load) end() { l.stop(); l.wait.Wait() }

// lasts waits until the load has gone on for d.
func (l *load) lasts(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// worst is the highest 99th percentile of a second, from a moment until now, and when that second began.
func (l *load) worst(from time.Time) (p99, after time.Duration) {
	for at := time.Duration(0); at == 0 || from.Add(at+time.Second).Before(time.Now()); at += 100 * time.Millisecond {
		if took, _ := l.between(from.Add(at), time.Second); quantile(took, .99) > p99 {
			p99, after = quantile(took, .99), at
		}
	}
	return p99, after
}

// between are the calls that began within d of a moment.
func (l *load) between(from time.Time, d time.Duration) (took []time.Duration, failed []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if s.began.Before(from) || s.began.After(from.Add(d)) {
			continue
		}
		took = append(took, s.took)
		if s.err != nil {
			failed = append(failed, s.err)
		}
	}
	slices.Sort(took)
	return took, failed
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(100 * time.Microsecond)
}

func merge(a, b []time.Duration) []time.Duration {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return all
}

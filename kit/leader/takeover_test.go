package leader_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"calotype/kit/leader"
	"calotype/test/servers"
)

// alone is set where nothing else runs on the machine: times are strict then, and the TTL is the default one.
var alone = os.Getenv("FAULTS_ALONE") != ""

func takeoverTTL() time.Duration {
	if alone {
		return leader.DefaultConfig().TTL
	}
	return 4 * time.Second
}

// within is how long a takeover may last.
func within(ttl time.Duration) time.Duration {
	if alone {
		return ttl
	}
	return 2 * ttl
}

// store is what leaders write to: it refuses a fence lower than the highest it has seen, as every store must.
type store struct {
	*httptest.Server
	mu      sync.Mutex
	highest write
	refused int
	written map[int64]int
	ended   map[int64]string
	changed chan struct{}
}

type write struct {
	Node  string
	Fence int64
	Ended string // why, when it is the term's last
}

func newStore(t *testing.T) *store {
	s := &store{written: map[int64]int{}, ended: map[int64]string{}, changed: make(chan struct{}, 1)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var got write
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got.Ended != "" {
		s.ended[got.Fence] = got.Ended
		return
	}
	if got.Fence < s.highest.Fence {
		s.refused++
		http.Error(w, "late", http.StatusConflict)
		return
	}
	s.highest = got
	s.written[got.Fence]++
}

func (s *store) last() write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.highest
}

// until waits for a leader that is, or is not, the node.
func (s *store) until(t *testing.T, is bool, node string) write {
	t.Helper()
	var got write
	until(t, fmt.Sprintf("%s leads: %v", node, is), func() bool {
		got = s.last()
		return got.Fence > 0 && (got.Node == node) == is
	})
	return got
}

// child runs in a process of its own: it leads, and writes to the store all the time it does.
func child() bool {
	node, store := os.Getenv("LEADER_NODE"), os.Getenv("LEADER_STORE")
	if node == "" {
		return false
	}
	ttl, err := time.ParseDuration(os.Getenv("LEADER_TTL"))
	if err != nil {
		panic(err)
	}
	s := on(os.Getenv("LEADER_KIND"), ttl, os.Getenv("LEADER_SERVER"))
	e, err := leader.New(s.cfg, s.reg, leader.Process{Service: "test", Node: node, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Metrics: prometheus.NewRegistry()})
	if err != nil {
		panic(err)
	}
	tell := func(w write) {
		b, _ := json.Marshal(w)
		rsp, err := http.Post(store, "application/json", bytes.NewReader(b))
		if err == nil {
			rsp.Body.Close()
		}
	}
	fmt.Fprintln(os.Stderr, "standing")
	_ = e.Lead(context.Background(), "sweep", func(ctx context.Context, term leader.Term) error {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			tell(write{Node: node, Fence: term.Fence})
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		tell(write{Node: node, Fence: term.Fence, Ended: context.Cause(ctx).Error()})
		return nil
	})
	return true
}

func (s *store) child(t *testing.T, node string, ttl time.Duration, votes server) *servers.Process {
	t.Helper()
	return servers.Run(t, servers.Program{
		Path: os.Args[0], Args: []string{"-test.run=^$"},
		Env:   []string{"LEADER_NODE=" + node, "LEADER_STORE=" + s.URL, "LEADER_TTL=" + ttl.String(), "LEADER_KIND=" + votes.kind, "LEADER_SERVER=" + votes.addr},
		Ready: ready,
	})
}

func ready(_ context.Context, p *servers.Process) error {
	if !strings.Contains(p.Log(), "standing") {
		return fmt.Errorf("it does not stand yet")
	}
	return nil
}

func TestTakeoverAfterKill(t *testing.T) { onEach(t, takeoverAfterKill) }

func takeoverAfterKill(t *testing.T, votes server) {
	s, ttl := newStore(t), takeoverTTL()
	a := s.child(t, "a", ttl, votes)
	s.until(t, true, "a")
	s.child(t, "b", ttl, votes)
	s.child(t, "c", ttl, votes)

	start := time.Now()
	a.Kill()
	got := s.until(t, false, "a")
	took := time.Since(start)
	t.Logf("killed: %s leads after %v of a TTL of %v", got.Node, took.Round(time.Millisecond), ttl)
	if took > within(ttl) {
		t.Errorf("the takeover lasted %v, the TTL is %v", took, ttl)
	}
}

func TestTakeoverAfterFreeze(t *testing.T) { onEach(t, takeoverAfterFreeze) }

func takeoverAfterFreeze(t *testing.T, votes server) {
	s, ttl := newStore(t), takeoverTTL()
	a := s.child(t, "a", ttl, votes)
	first := s.until(t, true, "a")
	b := s.child(t, "b", ttl, votes)

	start := time.Now()
	a.Freeze()
	second := s.until(t, true, "b")
	took := time.Since(start)
	if took > within(ttl) || second.Fence <= first.Fence {
		t.Errorf("%+v after %+v and %v; the TTL is %v", second, first, took, ttl)
	}
	a.Thaw()
	until(t, "the frozen leader finds that it is late", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.ended[first.Fence] != ""
	})
	s.mu.Lock()
	t.Logf("frozen: b leads after %v; a woke up and ended by %q, with %d writes refused", took.Round(time.Millisecond), s.ended[first.Fence], s.refused)
	s.mu.Unlock()
	if got := s.last(); got != second {
		t.Errorf("after the thaw the store's leader is %+v, not %+v", got, second)
	}
	// It stands by again.
	b.Kill()
	if got := s.until(t, true, "a"); got.Fence <= second.Fence {
		t.Errorf("%+v after %+v", got, second)
	}
}

func TestAwayMeansNobodyLeads(t *testing.T) { onEach(t, awayMeansNobodyLeads) }

func awayMeansNobodyLeads(t *testing.T, votes server) {
	for name, fault := range map[string]struct{ away, back func() }{"killed": {votes.Kill, votes.Start}, "frozen": {votes.Freeze, votes.Thaw}} {
		t.Run(name, func(t *testing.T) {
			ttl := 2 * time.Second
			a := newProcess(t, "a", on(votes.kind, ttl, votes.addr))
			ended := make(chan error, 10)
			terms := make(chan leader.Term, 10)
			one := a.standWith(t, "sweep", terms, func(ctx context.Context, term leader.Term) error {
				terms <- term
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return nil
			})
			first := one.next(t, soon)
			two := newProcess(t, "b", on(votes.kind, ttl, votes.addr)).stand(t, "sweep")

			start := time.Now()
			fault.away()
			select {
			case why := <-ended:
				t.Logf("stepped down after %v: %v", time.Since(start).Round(time.Millisecond), why)
			case <-time.After(within(ttl)):
				t.Fatal("it leads on without a server")
			}
			until(t, "it has no term", func() bool { return len(a.Terms()) == 0 })
			select {
			case term := <-two.terms:
				t.Fatalf("another leads without a server: %+v", term)
			case term := <-one.terms:
				t.Fatalf("it leads again without a server: %+v", term)
			case <-time.After(ttl):
			}

			fault.back()
			start = time.Now()
			var second leader.Term
			select {
			case second = <-one.terms:
			case second = <-two.terms:
			case <-time.After(soon):
				t.Fatal("nobody leads although the server is back")
			}
			t.Logf("%s leads %v after the server's return", second.Node, time.Since(start).Round(time.Millisecond))
			if second.Fence <= first.Fence {
				t.Errorf("%+v after %+v", second, first)
			}
		})
	}
}

func TestLeadingGoesOnWithTheNextServer(t *testing.T) { onEach(t, nextServer) }

func nextServer(t *testing.T, votes server) {
	// Two ways to one server, the first of which goes away.
	way := servers.NewRelay(t, votes.addr)
	a := newProcess(t, "a", on(votes.kind, 3*time.Second, way.Addr(), votes.addr))
	one := a.stand(t, "sweep")
	first := one.next(t, soon)
	way.Cut()
	h, err := a.Leader(t.Context(), "sweep")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "heartbeats by the other way", func() bool {
		now, err := a.Leader(t.Context(), "sweep")
		return err == nil && now.Fence == first.Fence && now.Heartbeat.After(h.Heartbeat.Add(3*time.Second))
	})
	select {
	case term := <-one.terms:
		t.Errorf("the term did not last: %+v", term)
	default:
	}
}

func TestALostSessionEndsTheTerm(t *testing.T) {
	onEach(t, func(t *testing.T, votes server) {
		p := newProcess(t, "a", on(votes.kind, 2*time.Second, votes.addr))
		one := p.stand(t, "sweep")
		first := one.next(t, soon)
		if err := lose(t, votes); err != nil {
			t.Fatal(err)
		}
		if second := one.next(t, soon); second.Fence <= first.Fence {
			t.Errorf("%+v after %+v", second, first)
		}
		if log := p.log.String(); !strings.Contains(log, "the lock is lost") {
			t.Errorf("it logged:\n%s", log)
		}
	})
}

// lose takes all votes away.
func lose(t *testing.T, votes server) error {
	t.Helper()
	if votes.kind == leader.Etcd {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{votes.addr}, DialTimeout: soon})
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Delete(t.Context(), "calotype/leader/", clientv3.WithPrefix())
		return err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+votes.addr+"/v1/kv/calotype/leader?recurse", nil)
	if err != nil {
		return err
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return rsp.Body.Close()
}

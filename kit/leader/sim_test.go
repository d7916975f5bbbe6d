package leader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"calotype/kit/internal/pause"
)

// votes is what simulated cells share: a key in a Consul that loses requests and answers, delays them, goes away, and forgets.
type votes struct {
	mu       sync.Mutex
	rand     *rand.Rand
	there    bool
	record   record
	session  string
	sessions map[string]bool
	index    uint64
	made     int
	changed  chan struct{}
	away     bool            // for everybody
	cut      map[string]bool // for a node
}

func newVotes(seed uint64) *votes {
	return &votes{rand: rand.New(rand.NewPCG(seed, 4)), sessions: map[string]bool{}, index: 1, changed: make(chan struct{}), cut: map[string]bool{}}
}

// touch must be called with the lock.
func (v *votes) touch() {
	v.index++
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *votes) n(n int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rand.IntN(n)
}

func (v *votes) reachable(node string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.away && !v.cut[node]
}

// wipe forgets everything, as an agent in memory does when it starts again.
func (v *votes) wipe() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.there, v.record, v.session, v.sessions = false, record{}, "", map[string]bool{}
	v.touch()
}

func (v *votes) end(session string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.sessions, session)
	if session != "" && v.session == session {
		v.session = ""
		v.touch()
	}
}

var errNoAnswer = errors.New("no answer")

// simCell is one node's way to the votes.
type simCell struct {
	*votes
	node string
}

// ask does something there after a while, and gives its answer after another; what is lost on the way there or back is an error.
func (c *simCell) ask(ctx context.Context, do func()) error {
	for _, step := range []func(){do, func() {}} {
		delay := time.Duration(c.n(20)) * time.Millisecond
		switch c.n(60) {
		case 0: // it is held up
			delay = time.Duration(c.n(9000)) * time.Millisecond
		case 1: // it is lost
			return c.fail(ctx)
		}
		held := time.NewTimer(delay)
		select {
		case <-held.C:
		case <-ctx.Done():
			if c.n(2) == 0 { // nobody waits for it any more, but it is on its way
				time.AfterFunc(delay, step)
			}
			return ctx.Err()
		}
		if !c.reachable(c.node) {
			return c.fail(ctx)
		}
		step()
	}
	return nil
}

func (c *simCell) fail(ctx context.Context) error {
	pause.For(ctx, time.Duration(c.n(2000))*time.Millisecond)
	return errNoAnswer
}

func (c *simCell) read(ctx context.Context, index uint64, wait time.Duration) (view, error) {
	var found view // not a result: what is on its way still may arrive later
	late := time.NewTimer(wait)
	defer late.Stop()
	for waiting := index > 0; waiting; {
		c.mu.Lock()
		changed := c.changed
		waiting = c.index <= index
		c.mu.Unlock()
		if !waiting {
			break
		}
		select {
		case <-changed:
		case <-late.C:
			waiting = false
		case <-ctx.Done():
			return view{}, ctx.Err()
		}
	}
	err := c.ask(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		found = view{there: c.there, record: c.record, session: c.session, index: c.index, version: c.index}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	return found, err
}

func (c *simCell) take(ctx context.Context, v view, r record) (string, bool, error) {
	ok := false
	c.mu.Lock()
	c.made++
	session := fmt.Sprint(c.node, "-", c.made)
	c.sessions[session] = true
	c.mu.Unlock()
	err := c.ask(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if unchanged := c.there == v.there && c.index == v.version || !c.there && !v.there; unchanged && c.session == "" && c.sessions[session] {
			c.there, c.record, c.session, ok = true, r, session, true
			c.touch()
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	return session, ok && err == nil, err
}

func (c *simCell) beat(ctx context.Context, session string, r record) (bool, error) {
	ok := false
	err := c.ask(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.session == session {
			c.record, ok = r, true
			c.touch()
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	return ok, err
}

func (c *simCell) release(ctx context.Context, session string, r record) error {
	return c.ask(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.session == session {
			c.record, c.session = r, ""
			delete(c.sessions, session)
			c.touch()
		}
	})
}

func (c *simCell) evict(ctx context.Context, session string) error {
	return c.ask(ctx, func() { c.end(session) })
}

// ledger knows who works, and what fences there were.
type ledger struct {
	mu     sync.Mutex
	works  int
	fence  int64
	terms  int
	faults []string
}

func (l *ledger) work(ctx context.Context, t Term, until time.Duration) error {
	l.mu.Lock()
	if l.works++; l.works > 1 {
		l.faults = append(l.faults, fmt.Sprintf("%s leads with fence %d while another does", t.Node, t.Fence))
	}
	if t.Fence <= l.fence {
		l.faults = append(l.faults, fmt.Sprintf("%s leads with fence %d after %d", t.Node, t.Fence, l.fence))
	}
	l.fence = t.Fence
	l.terms++
	l.mu.Unlock()
	pause.For(ctx, until)
	l.mu.Lock()
	l.works--
	l.mu.Unlock()
	return nil
}

// TestNeverTwoLead runs an hour of elections among three nodes, per seed, under faults of every kind. Seeds do not make it the same each
// time: what happens at one moment happens in any order.
func TestNeverTwoLead(t *testing.T) {
	terms := 0
	for seed := range uint64(20) {
		l := &ledger{}
		synctest.Test(t, func(t *testing.T) { simulate(t, seed, l) })
		terms += l.terms
		if len(l.faults) > 0 {
			t.Fatalf("seed %d: %d faults, the first: %s", seed, len(l.faults), l.faults[0])
		}
	}
	t.Logf("%d terms", terms)
}

func simulate(t *testing.T, seed uint64, l *ledger) {
	v := newVotes(seed)
	forgets := seed%2 == 1 // an empty Consul and a process that knows of no leader may meet: then fences must do, alone
	ctx, end := context.WithCancel(t.Context())
	var all sync.WaitGroup
	stand := func(node string) (leave context.CancelFunc) {
		cfg := DefaultConfig()
		if seed%4 == 0 {
			cfg.TTL = time.Duration(5+v.n(10)) * time.Second // every node is configured unlike the others
		}
		e := &elector{
			office: newOffice(Process{Service: "s", Node: node, Log: slog.New(slog.DiscardHandler)}, cfg), cfg: cfg,
			cell: func(string) cell { return &simCell{v, node} },
		}
		mine, leave := context.WithCancel(ctx)
		all.Go(func() {
			_ = e.Lead(mine, "duty", func(ctx context.Context, term Term) error {
				until := time.Hour
				if v.n(4) == 0 {
					until = time.Duration(v.n(60)) * time.Second // work that returns by itself
				}
				return l.work(ctx, term, until)
			})
		})
		return leave
	}
	nodes := []string{"a", "b", "c"}
	leave := map[string]context.CancelFunc{}
	for _, n := range nodes {
		leave[n] = stand(n)
	}
	pause.For(ctx, time.Minute) // everybody has seen who leads
	for range 120 {
		pause.For(ctx, time.Duration(v.n(60))*time.Second)
		node, long := nodes[v.n(3)], time.Duration(v.n(30))*time.Second
		switch v.n(5) {
		case 0:
			v.set(func() { v.away = true })
			pause.For(ctx, long)
			v.set(func() { v.away = false })
		case 1:
			v.set(func() { v.cut[node] = true })
			time.AfterFunc(long, func() { v.set(func() { v.cut[node] = false }) })
		case 2:
			v.mu.Lock()
			s := v.session
			v.mu.Unlock()
			v.end(s) // somebody's hand
		case 3:
			if forgets {
				v.wipe()
				pause.For(ctx, time.Minute) // not once more before the first time has been noticed
			}
		case 4:
			if !forgets {
				leave[node]()
				leave[node] = stand(node)
			}
		}
	}
	pause.For(ctx, time.Minute) // every fault is over
	before := l.count()
	for range 60 {
		pause.For(ctx, 10*time.Second)
		if l.leads() {
			break
		}
	}
	if !l.leads() {
		t.Errorf("seed %d: nobody leads in the end, after %d terms", seed, before)
	}
	end()
	all.Wait()
}

func (v *votes) set(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.terms
}

func (l *ledger) leads() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.works == 1
}

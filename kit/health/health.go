// Package health knows whether a process can take work: named checks that are polled with a time-out, and gates that services
// close while they start and drain. It tells it over HTTP and to grpc.health.v1; what is checked, others say.
package health

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Config says how often checks are asked and how long an answer may take.
type Config struct {
	Interval time.Duration `koanf:"interval" doc:"how often readiness checks are asked"`
	Timeout  time.Duration `koanf:"timeout" doc:"how long a readiness check may take"`
}

// DefaultConfig asks every 5 s.
func DefaultConfig() Config { return Config{Interval: 5 * time.Second, Timeout: 2 * time.Second} }

// Check reports why something that the service cannot work without is not there; nil means it is. It must heed ctx, and is
// never run twice at a time.
type Check func(ctx context.Context) error

// Checks is the readiness of one process: it is ready when every gate is open and every check's last answer was nil.
type Checks struct {
	cfg Config

	mu     sync.Mutex
	checks map[string]*state
	gates  map[string]bool

	telling  sync.Mutex // held while watchers are told, so that the last thing they see is the state that stands
	watchers []func()

	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

type state struct {
	asked bool
	err   error
	since time.Time // of the present outcome
	note  bool      // it has no say
}

// New makes a registry without checks or gates, which is ready. Close stops its polling.
func New(cfg Config) *Checks {
	def := DefaultConfig()
	if cfg.Interval <= 0 {
		cfg.Interval = def.Interval
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = def.Timeout
	}
	c := &Checks{cfg: cfg, checks: map[string]*state{}, gates: map[string]bool{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Add starts polling a check, at once and then every interval. Until its first answer the process is not ready. A name that is
// taken already panics: it is a mistake in wiring.
func (c *Checks) Add(name string, check Check) { c.add(name, check, false) }

// Note is Add for what the report is to tell without a say in the readiness: something that all nodes share, so that none is better off
// than another, and each answers for itself while it is away.
func (c *Checks) Note(name string, check Check) { c.add(name, check, true) }

func (c *Checks) add(name string, check Check, note bool) {
	c.mu.Lock()
	if _, taken := c.checks[name]; taken {
		c.mu.Unlock()
		panic("health: two checks are called " + name)
	}
	s := &state{err: errNotAsked, since: time.Now(), note: note}
	c.checks[name] = s
	c.mu.Unlock()
	c.notify()
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		t := time.NewTicker(c.cfg.Interval)
		defer t.Stop()
		for {
			c.ask(s, check)
			select {
			case <-t.C:
			case <-c.ctx.Done():
				return
			}
		}
	}()
}

var errNotAsked = fmt.Errorf("not checked yet")

// ask runs a check. One that does not heed its context is waited for, but counts as failed meanwhile.
func (c *Checks) ask(s *state, check Check) {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.Timeout)
	defer cancel()
	answer := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				answer <- fmt.Errorf("the check panicked: %v", p)
			}
		}()
		answer <- check(ctx)
	}()
	select {
	case err := <-answer:
		c.set(s, err)
	case <-ctx.Done():
		if c.ctx.Err() != nil {
			return // closing; nobody waits for the answer
		}
		c.set(s, fmt.Errorf("no answer within %v", c.cfg.Timeout))
		select {
		case <-answer:
		case <-c.ctx.Done():
		}
	}
}

func (c *Checks) set(s *state, err error) {
	c.mu.Lock()
	changed := !s.asked || (s.err == nil) != (err == nil)
	if changed {
		s.since = time.Now()
	}
	s.asked, s.err = true, err
	c.mu.Unlock()
	if changed {
		c.notify()
	}
}

// Gate makes a service's own yes or no. It begins closed, and stays when its service has ended: a process that has left is not ready.
func (c *Checks) Gate(name string) *Gate {
	g := &Gate{checks: c, name: name}
	g.Set(false)
	return g
}

// Gate is one service's share in the readiness of its process.
type Gate struct {
	checks *Checks
	name   string
}

// Set opens or closes the gate.
func (g *Gate) Set(open bool) {
	g.checks.mu.Lock()
	g.checks.gates[g.name] = open
	g.checks.mu.Unlock()
	g.checks.notify()
}

// Ready reports whether the gate is open and every check passes: whether this service can take work, whatever its neighbours do.
func (g *Gate) Ready() bool {
	g.checks.mu.Lock()
	defer g.checks.mu.Unlock()
	return g.checks.gates[g.name] && g.checks.passing()
}

// Ready reports whether the process can take work.
func (c *Checks) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready()
}

// ready is false before the first service has its gate: a process that only begins can take no work.
func (c *Checks) ready() bool {
	if len(c.gates) == 0 {
		return false
	}
	for _, open := range c.gates {
		if !open {
			return false
		}
	}
	return c.passing()
}

func (c *Checks) passing() bool {
	for _, s := range c.checks {
		if s.err != nil && !s.note {
			return false
		}
	}
	return true
}

// OnChange calls f now, and again whenever something may have changed; f asks what it wants to know.
func (c *Checks) OnChange(f func()) {
	c.telling.Lock()
	defer c.telling.Unlock()
	c.watchers = append(c.watchers, f)
	f()
}

func (c *Checks) notify() {
	c.telling.Lock()
	defer c.telling.Unlock()
	for _, f := range c.watchers {
		f()
	}
}

// Close stops polling. Checks that hang are left behind.
func (c *Checks) Close() {
	c.stop()
	c.running.Wait()
}

// Report is what /readyz answers.
type Report struct {
	Ready  bool                   `json:"ready"`
	Checks map[string]CheckReport `json:"checks"`
}

// CheckReport is one line of it.
type CheckReport struct {
	OK    bool      `json:"ok"`
	Note  bool      `json:"note,omitempty"` // it has no say in the readiness
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// Report tells everything at once.
func (c *Checks) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := Report{Ready: c.ready(), Checks: map[string]CheckReport{}}
	for name, s := range c.checks {
		cr := CheckReport{OK: s.err == nil, Note: s.note, Since: s.since.UTC()}
		if s.err != nil {
			cr.Error = s.err.Error()
		}
		r.Checks[name] = cr
	}
	for _, name := range slices.Sorted(maps.Keys(c.gates)) {
		cr := CheckReport{OK: c.gates[name]}
		if !cr.OK {
			cr.Error = "starting or draining"
		}
		r.Checks["service "+name] = cr
	}
	return r
}

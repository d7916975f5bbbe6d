package leader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/internal/pause"
)

// office is what both kinds of elector have: the terms of this process, told and counted.
type office struct {
	process Process
	cfg     Config
	log     *slog.Logger

	leads       *prometheus.GaugeVec
	transitions *prometheus.CounterVec

	mu    sync.Mutex
	terms map[string]Term
	last  int64 // the highest fence that was seen
}

// What becomes of a term.
const (
	taken      = "taken"
	handedOver = "handed_over"
	lost       = "lost"
)

func newOffice(p Process, cfg Config) *office {
	o := &office{
		process: p, cfg: cfg, log: p.Log, terms: map[string]Term{},
		leads: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "calotype_leader", Help: "1 where this process leads, 0 where it stands by.",
		}, []string{"duty"}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calotype_leader_transitions_total", Help: "Terms that began (taken) and ended (handed_over, lost) in this process.",
		}, []string{"duty", "event"}),
	}
	if p.Metrics != nil {
		p.Metrics.MustRegister(o.leads, o.transitions)
	}
	return o
}

func (o *office) standing(duty string) { o.leads.WithLabelValues(duty).Add(0) }

// next gives a fence above all that were before: by the clock, so that a store of terms that lost its memory does not begin anew, and
// by what was before, so that a clock may step back.
func (o *office) next(before int64) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = max(time.Now().UnixMilli(), before+1, o.last+1)
	return o.last
}

// seen keeps another's fence in mind, for when what keeps the votes has lost its memory.
func (o *office) seen(fence int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = max(o.last, fence)
}

func (o *office) enter(t Term) {
	o.mu.Lock()
	o.terms[t.Duty] = t
	o.mu.Unlock()
	o.leads.WithLabelValues(t.Duty).Set(1)
	o.transitions.WithLabelValues(t.Duty, taken).Inc()
	o.log.Info("leading", "duty", t.Duty, "fence", t.Fence)
}

// leave ends a term; why is nil for one that ended in order.
func (o *office) leave(t Term, why error) {
	o.mu.Lock()
	if o.terms[t.Duty].Fence == t.Fence {
		delete(o.terms, t.Duty)
		o.leads.WithLabelValues(t.Duty).Set(0)
	}
	o.mu.Unlock()
	if why != nil {
		o.transitions.WithLabelValues(t.Duty, lost).Inc()
		o.log.Warn("no longer leading", "duty", t.Duty, "fence", t.Fence, "error", why)
		return
	}
	o.transitions.WithLabelValues(t.Duty, handedOver).Inc()
	o.log.Info("no longer leading", "duty", t.Duty, "fence", t.Fence)
}

// Terms implements Elector.
func (o *office) Terms() []Term {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.SortedFunc(maps.Values(o.terms), func(a, b Term) int { return cmp.Compare(a.Duty, b.Duty) })
}

// perform runs work once. A panic is one of its errors: the process has other things to do.
func perform(ctx context.Context, t Term, work Work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return work(ctx, t)
}

// rest tells of an error and waits a little, so that another may lead. It reports whether to go on.
func (o *office) rest(ctx context.Context, t Term, err error) bool {
	if err != nil && !errors.Is(err, context.Canceled) {
		o.log.Error("what a leader does failed", "duty", t.Duty, "fence", t.Fence, "error", err)
	}
	return pause.For(ctx, o.cfg.pause())
}

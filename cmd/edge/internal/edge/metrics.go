package edge

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// counters are what happens beside the relay, and the last list.
type counters struct {
	lists, reloads *prometheus.CounterVec

	mu      sync.Mutex
	last    []string
	isEmpty bool
}

func newCounters() *counters {
	return &counters{
		lists:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calotype_edge_lists_total", Help: "Lists of gateways that the registry gave, by what they were."}, []string{"kind"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calotype_edge_reloads_total", Help: "Reloads of nginx: ok, or failed, which changed nothing."}, []string{"outcome"}),
	}
}

func (c *counters) register(r prometheus.Registerer) {
	for _, outcome := range []string{"ok", "failed"} {
		c.reloads.WithLabelValues(outcome)
	}
	r.MustRegister(c.lists, c.reloads)
}

// listed notes a list and gives the one before.
func (c *counters) listed(now []string) (before []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isEmpty = false
	c.lists.WithLabelValues("nodes").Inc()
	before, c.last = c.last, now
	return before
}

// empty notes an empty list, and tells whether the one before was none.
func (c *counters) empty() (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists.WithLabelValues("empty").Inc()
	first, c.isEmpty = !c.isEmpty, true
	return first
}

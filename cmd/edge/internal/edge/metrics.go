package edge

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// counters are what happens beside the relay, and the last list.
type counters struct {
	lists, reloads *prometheus.CounterVec

	mu      sync.Mutex
	last    [][]string
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

// listed notes the lists of all datacenters, those that are empty as they were before, and tells whether anything has changed.
func (c *counters) listed(now [][]string) (kept [][]string, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isEmpty = false
	c.lists.WithLabelValues("nodes").Inc()
	for i, before := range c.last {
		switch {
		case i == len(now):
			now = append(now, before)
		case len(now[i]) == 0:
			now[i] = before
		}
	}
	changed = !slices.EqualFunc(now, c.last, slices.Equal)
	c.last = now
	return now, changed
}

// empty notes an empty list, and tells whether the one before was none.
func (c *counters) empty() (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists.WithLabelValues("empty").Inc()
	first, c.isEmpty = !c.isEmpty, true
	return first
}

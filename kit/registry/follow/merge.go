package follow

import (
	"slices"
	"sync"

	"go-micro.dev/v4/registry"
)

// merger makes one list of several datacenters' lists. What one of them said last stays while it does not answer.
type merger struct {
	set func([]*registry.Node)

	mu    sync.Mutex
	lists [][]*registry.Node
	heard []bool // of it, or that it does not answer
	said  bool   // any of them anything
}

func newMerger(n int, set func([]*registry.Node)) *merger {
	return &merger{set: set, lists: make([][]*registry.Node, n), heard: make([]bool, n)}
}

// take tells the whole list; but not before one's own datacenter was heard of, so that no call goes far without need, and not that
// nobody is there before all were.
func (m *merger) take(at int, list []*registry.Node, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	news := err == nil || !m.heard[at]
	m.heard[at] = true
	if err == nil {
		m.lists[at], m.said = list, true
	}
	all := slices.Concat(m.lists...)
	if news && m.said && m.heard[0] && (len(all) > 0 || !slices.Contains(m.heard, false)) {
		m.set(all)
	}
}

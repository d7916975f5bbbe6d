package relay

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Set takes new lists of addresses: one's own datacenter's, and those of others, which get connections while none of those before them is
// well. No address at all changes nothing: a registry that lost its memory is no proof that nodes are gone, and those that are do not answer.
// Connections to nodes that left the lists go on until they end by themselves.
func (r *Relay) Set(lists ...[]string) {
	orders := map[string]int{}
	for order, addresses := range slices.Backward(lists) {
		for _, address := range addresses {
			orders[address] = order
		}
	}
	if len(orders) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	for address, n := range r.nodes {
		if _, is := orders[address]; n.listed && !is {
			n.listed = false
			n.leave()
			r.cfg.Log.Info("a node has left", slog.String("address", address), slog.Int("connections", n.open()))
		}
	}
	for address, order := range orders {
		n := r.nodes[address]
		if n != nil && n.listed {
			n.order = order
			continue
		}
		if n == nil || !n.stay() {
			n = newNode(r.ctx, address, r.cfg.Metrics)
			r.nodes[address] = n
			r.work.Add(1)
			go func() {
				defer r.work.Done()
				r.watch(n)
			}()
		}
		n.listed, n.order = true, order
		r.cfg.Log.Info("a node is there", slog.String("address", address))
	}
	r.sort()
}

// sort makes the order in which nodes are tried. It is called with mu held.
func (r *Relay) sort() {
	r.well, r.rest = nil, nil
	for _, n := range r.nodes {
		switch {
		case n.listed && n.well:
			r.well = append(r.well, n)
		case n.listed:
			r.rest = append(r.rest, n)
		}
	}
	near := func(a, b *node) int { return cmp.Or(a.order-b.order, strings.Compare(a.address, b.address)) }
	slices.SortFunc(r.well, near)
	slices.SortFunc(r.rest, near)
	doubtful, spare := len(r.rest), 0
	if first := slices.IndexFunc(r.well, func(n *node) bool { return n.order > r.well[0].order }); first > 0 {
		spare = len(r.well) - first
		r.well, r.rest = r.well[:first:first], slices.Concat(r.well[first:], r.rest)
	}
	for state, many := range map[string]int{"well": len(r.well), "spare": spare, "doubtful": doubtful} {
		r.cfg.Metrics.nodes.WithLabelValues(state).Set(float64(many))
	}
	if len(r.well) == 0 || r.well[0].order == r.order {
		return
	}
	if r.order = r.well[0].order; r.order == 0 {
		r.cfg.Log.Info("connections go to their own datacenter again", slog.Int("nodes", len(r.well)))
		return
	}
	r.cfg.Log.Warn("connections go to another datacenter", slog.Int("datacenter", r.order), slog.Int("nodes", len(r.well)))
}

// judge notes whether a node seems well.
func (r *Relay) judge(n *node, well bool, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.well == well {
		return
	}
	n.well = well
	r.sort()
	if well {
		r.cfg.Log.Info("a node answers again", slog.String("address", n.address))
		return
	}
	r.cfg.Log.Warn("a node does not answer", slog.String("address", n.address), slog.String("error", why.Error()))
}

// doubt is for a node that did not accept: the next probe that it answers takes the doubt away.
func (r *Relay) doubt(n *node, why error) {
	if r.ctx.Err() == nil {
		r.judge(n, false, why)
	}
}

// watch asks a node again and again whether it lives. One that does not say so twice gets no new connection while others are there.
// One from which nothing at all comes for the time of Silence, neither answers nor any byte of a request's, will not send any: its
// connections are cut, so that nginx can send what is idempotent to another.
func (r *Relay) watch(n *node) {
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.nodes[n.address] == n {
			delete(r.nodes, n.address)
		}
		n.forget()
	}()
	failed := 0
	for pause(n.gone, r.cfg.Probe) {
		ctx, cancel := context.WithTimeout(n.gone, r.cfg.Probe)
		err := r.cfg.Live(ctx, n.address)
		cancel()
		switch {
		case n.gone.Err() != nil:
			return
		case err == nil:
			failed = 0
			n.heard.Store(now())
			r.judge(n, true, nil)
			continue
		}
		if failed++; failed >= 2 {
			r.judge(n, false, err)
		}
		if failed < 2 || time.Duration(now()-n.heard.Load()) < r.cfg.Silence {
			continue
		}
		if many := n.cut(); many > 0 {
			r.cfg.Metrics.cut.Add(float64(many))
			r.cfg.Log.Warn("a silent node's connections are cut", slog.String("address", n.address), slog.Int("connections", many))
		}
	}
}

package cluster

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// Strategy is how a node is chosen among those that can be used.
type Strategy uint8

// The strategies. With a key, rendezvous hashing takes the place of either.
const (
	LeastLoaded Strategy = iota // the less loaded of two at random
	RoundRobin
)

// Want is what a call asks of a node.
type Want struct {
	Strategy Strategy
	Key      string  // calls of one key go to one node, as long as it is not overloaded
	Tried    []*Node // avoided while there is another
	Beyond   bool    // rather another datacenter's node than one that was tried
	Now      int64   // on Clock; 0: it is asked
}

// Pick chooses a node and counts the call in: the caller must call End on it. It waits, within ctx, only for the first list of
// the service, or where no node has a connection and one may still get it.
func (c *Cluster) Pick(ctx context.Context, w Want) (*Node, error) {
	var timeout <-chan time.Time
	for {
		w.Now = Clock()
		if n := c.Choose(w); n != nil {
			return n, nil
		}
		// Taken before looking again: what changes after this wakes us.
		changed, listed, closed := c.state()
		if n := c.Choose(w); n != nil {
			return n, nil
		}
		nodes := c.Nodes()
		wait := c.cfg.Connect
		switch {
		case closed:
			return nil, ErrClosed
		case !listed:
			wait = c.cfg.FirstList
		case len(nodes) == 0:
			return nil, ErrNoNodes
		case !slices.ContainsFunc(nodes, func(n *Node) bool { return !n.down.Load() }):
			return nil, ErrAllDown
		}
		if timeout == nil {
			t := time.NewTimer(wait)
			defer t.Stop()
			timeout = t.C
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timeout:
			if len(nodes) == 0 {
				return nil, ErrNoNodes
			}
			return nil, ErrAllDown
		}
	}
}

// Choose is Pick without waiting: it gives nil when no node has a connection.
func (c *Cluster) Choose(w Want) *Node {
	if w.Now == 0 {
		w.Now = Clock()
	}
	for {
		n := c.choose(w)
		if n == nil || n.Begin() {
			return n
		}
	}
}

// choose gives nil when no node has a connection.
func (c *Cluster) choose(w Want) *Node {
	v := c.view.Load()
	nodes, now := v.use, w.Now
	if n := v.nearer(w); n != nil {
		return n
	}
	switch {
	case len(w.Tried) > 0:
	case len(nodes) == 1 && nodes[0].usable():
		return nodes[0]
	case w.Key == "" && w.Strategy == LeastLoaded && len(nodes) > 1:
		i := rand.IntN(len(nodes))
		j := rand.IntN(len(nodes) - 1)
		if j >= i {
			j++
		}
		a, b := nodes[i], nodes[j]
		if a.usable() && b.usable() && !a.resting(now) && !b.resting(now) {
			return lighter(a, b, now)
		}
	}
	var room [16]*Node
	good := room[:0]
	for _, n := range nodes {
		if n.up.Load() && !n.silent.Load() && !slices.Contains(w.Tried, n) && n.admits(now) {
			if n.until.Load() != 0 {
				return n // the probe
			}
			good = append(good, n)
		}
	}
	if len(good) == 0 && w.Beyond {
		good = v.beyond(w)
	}
	// Nobody is left but those set aside or those that failed this very call: better one of them than nobody.
	for pass := 0; len(good) == 0 && pass < 3; pass++ {
		for _, n := range nodes {
			if n.up.Load() && (pass > 0 || !slices.Contains(w.Tried, n)) && (pass > 1 || !n.silent.Load()) {
				good = append(good, n)
			}
		}
	}
	good = rested(good, now)
	switch {
	case len(good) == 0:
		return nil
	case len(good) == 1:
		return good[0]
	case w.Key != "":
		return rendezvous(good, w.Key)
	case w.Strategy == RoundRobin:
		return good[c.next.Add(1)%uint64(len(good))]
	}
	i := rand.IntN(len(good))
	j := rand.IntN(len(good) - 1)
	if j >= i {
		j++
	}
	return lighter(good[i], good[j], now)
}

// usable is up, not silent and not set aside.
func (n *Node) usable() bool { return n.up.Load() && !n.silent.Load() && n.until.Load() == 0 }

// Rendezvous hashing with bounded load: a key's node is the one with the highest score, until it has a quarter more calls
// running than the average; floor keeps a quiet service from spreading its keys.
const (
	slack = 1.25
	floor = 4
)

func rendezvous(nodes []*Node, key string) *Node {
	var running int64
	for _, n := range nodes {
		running += n.InFlight()
	}
	bound := max(int64(slack*float64(running+1)/float64(len(nodes)))+1, floor)
	k := hashOf(key)
	var best, first *Node
	var bestScore, firstScore uint64
	for _, n := range nodes {
		score := mix(k ^ n.hash)
		if first == nil || score > firstScore {
			first, firstScore = n, score
		}
		if n.InFlight() < bound && (best == nil || score > bestScore) {
			best, bestScore = n, score
		}
	}
	if best == nil {
		return first
	}
	return best
}

// hashOf must agree between processes, or their caches would not share a key's node: FNV-1a.
func hashOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

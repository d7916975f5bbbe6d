package cluster

import (
	"slices"
	"sync/atomic"
)

// respite is the time in which a node that has too much to do is left alone, where another has not. What it turns away comes back at once:
// to a balancer that counts calls in flight it would look like the one with the least to do.
type respite struct{ rests atomic.Int64 } // until then, on Clock

// Rest leaves the node alone for as long as one is set aside for the first time.
func (n *Node) Rest() { n.rests.Store(Clock() + int64(n.min)) }

func (r *respite) resting(now int64) bool { return r.rests.Load() > now }

// rested leaves out of nodes those that rest, unless all do.
func rested(nodes []*Node, now int64) []*Node {
	resting := func(n *Node) bool { return n.resting(now) }
	if !slices.ContainsFunc(nodes, resting) {
		return nodes
	}
	if awake := slices.DeleteFunc(slices.Clone(nodes), resting); len(awake) > 0 {
		return awake
	}
	return nodes
}

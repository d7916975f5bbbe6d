package cluster

import (
	"fmt"
	"testing"
	"time"
)

func pick(t *testing.T, c *Cluster, w Want) *Node {
	t.Helper()
	n, err := c.Pick(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLeastLoadedOfTwo(t *testing.T) {
	c := fixed(t, 2)
	busy := c.Nodes()[0]
	busy.Begin()
	for range 20 {
		n := pick(t, c, Want{})
		if n == busy {
			t.Fatal("the busier of two was chosen")
		}
		n.End()
	}
	busy.End()
	slow := c.Nodes()[1]
	for range 30 {
		now := Clock()
		slow.Observe(now-int64(100*time.Millisecond), now)
		busy.Observe(now-int64(time.Millisecond), now)
	}
	for range 20 {
		n := pick(t, c, Want{})
		if n == slow {
			t.Fatal("the slower of two was chosen")
		}
		n.End()
	}
	now := Clock()
	if was, is := slow.latency.value(now), slow.latency.value(now+int64(30*time.Second)); is > was/100 {
		t.Errorf("after 30 s without a call a slow node's latency fell from %g to %g only", was, is)
	}
}

// One call at a time finds both nodes idle: what their latencies differ by is noise.
func TestALoneCallerUsesEqualNodesEqually(t *testing.T) {
	c := fixed(t, 2)
	count := map[*Node]int{}
	for i := range 1000 {
		n := pick(t, c, Want{})
		count[n]++
		now := Clock()
		n.Observe(now-int64(700+i%500)*int64(time.Microsecond), now)
		n.End()
	}
	for n, k := range count {
		if k < 300 {
			t.Errorf("%s was taken %d times of 1000", n.Registry.Id, k)
		}
	}
}

func TestRoundRobin(t *testing.T) {
	c := fixed(t, 3)
	count := map[*Node]int{}
	for range 30 {
		n := pick(t, c, Want{Strategy: RoundRobin})
		count[n]++
		n.End()
	}
	for n, k := range count {
		if k != 10 {
			t.Errorf("%s was taken %d times of 30", n.Registry.Id, k)
		}
	}
}

func TestRendezvous(t *testing.T) {
	c := fixed(t, 4)
	home := map[string]*Node{}
	share := map[*Node]int{}
	for i := range 400 {
		key := fmt.Sprint("key-", i)
		n := pick(t, c, Want{Key: key})
		n.End()
		home[key] = n
		share[n]++
		again := pick(t, c, Want{Key: key})
		again.End()
		if again != n {
			t.Fatalf("%s moved", key)
		}
	}
	for n, k := range share {
		if k < 50 || k > 150 {
			t.Errorf("%s is home to %d of 400 keys", n.Registry.Id, k)
		}
	}
	lost := c.Nodes()[0]
	moved := 0
	for key, n := range home {
		other := pick(t, c, Want{Key: key, Tried: []*Node{lost}})
		other.End()
		if other != n {
			moved++
			if n != lost {
				t.Fatalf("%s moved although its node stayed", key)
			}
		}
	}
	if moved != share[lost] {
		t.Errorf("%d keys moved, %d had to", moved, share[lost])
	}
	// One hot key does not drown its node.
	for range 40 {
		pick(t, c, Want{Key: "hot"})
	}
	for _, n := range c.Nodes() {
		if n.InFlight() > 14 {
			t.Errorf("%s has %d of 40 calls", n.Registry.Id, n.InFlight())
		}
		for n.InFlight() > 0 {
			n.End()
		}
	}
}

func TestTriedNodesAreAvoided(t *testing.T) {
	c := fixed(t, 3)
	nodes := c.Nodes()
	for range 20 {
		n := pick(t, c, Want{Tried: []*Node{nodes[0], nodes[1]}})
		n.End()
		if n != nodes[2] {
			t.Fatal("a tried node was taken although another was there")
		}
	}
	n := pick(t, c, Want{Tried: nodes})
	n.End()
}

func TestEjection(t *testing.T) {
	c := fixed(t, 4)
	nodes := c.Nodes()
	bad := nodes[0]
	out := func(n *Node) bool { return n.until.Load() > Clock() }

	for i := range consecutive {
		if out(bad) {
			t.Fatalf("set aside after %d refusals", i)
		}
		bad.Refused()
	}
	if !out(bad) {
		t.Fatal("not set aside after refusals in a row")
	}
	for range 40 {
		n := pick(t, c, Want{})
		n.End()
		if n == bad {
			t.Fatal("a node that is set aside was taken")
		}
	}
	// The time over, exactly one call is the probe.
	eventually(t, "the probe is due", func() bool { return !out(bad) })
	probes := 0
	for range 20 {
		n := pick(t, c, Want{Strategy: RoundRobin})
		n.End()
		if n == bad {
			probes++
		}
	}
	if probes != 1 {
		t.Errorf("%d probes went out, want 1", probes)
	}
	eventually(t, "the probe's time is over", func() bool { return !out(bad) })
	began := time.Now()
	bad.Broke()
	if d := At(bad.until.Load()).Sub(began); d < 60*time.Millisecond || d > 110*time.Millisecond+time.Since(began) {
		t.Errorf("the second time is %v, want twice the first 50ms", d)
	}
	bad.Succeeded()
	if out(bad) {
		t.Error("success did not bring it back")
	}
	for range 10 {
		bad.until.Store(0)
		bad.Broke()
	}
	if d := time.Until(At(bad.until.Load())); d > 410*time.Millisecond {
		t.Errorf("the time grew to %v, past its limit", d)
	}

	for _, n := range nodes {
		n.Broke()
	}
	n := 0
	for _, node := range nodes {
		if out(node) {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d of 4 nodes are set aside, want half", n)
	}
}

func TestANodeThatRestsIsLeftAlone(t *testing.T) {
	c := fixed(t, 3)
	busy := c.Nodes()[0]
	wants := []Want{{}, {Strategy: RoundRobin}, {Key: "a"}, {Key: "b"}, {Key: "c"}, {Key: "d"}, {Tried: c.Nodes()[1:2]}}
	taken := func() (n int) {
		for _, w := range wants {
			for range 20 {
				node := pick(t, c, w)
				if node == busy {
					n++
				}
				node.End()
			}
		}
		return n
	}
	if taken() == 0 {
		t.Fatal("it is never taken")
	}
	busy.Rest()
	if n := taken(); n > 0 && busy.resting(Clock()) {
		t.Errorf("it was taken %d times", n)
	}
	for _, n := range c.Nodes() {
		n.Rest()
	}
	if taken() == 0 && busy.resting(Clock()) {
		t.Error("where all rest it is not taken")
	}
	if busy.resting(Clock() + int64(busy.min)) {
		t.Error("it rests for ever")
	}
}

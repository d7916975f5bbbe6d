package cluster

import (
	"context"
	"net"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"

	"calotype/kit/registry/follow"
)

// federation has a registry for each of three datacenters, the first one's own.
type federation struct {
	registry.Registry
	views []follow.Datacenter
}

func (f federation) Datacenters() []follow.Datacenter { return f.views }

type seen struct {
	registry.Registry
	place follow.Place
}

func (v seen) GetService(name string, o ...registry.GetOption) ([]*registry.Service, error) {
	services, err := v.Registry.GetService(name, o...)
	v.place.Mark(services)
	return services, err
}

// datacenters gives the registries of near, middle and far.
func datacenters() (all federation, each [3]registry.Registry) {
	for order, name := range []string{"near", "middle", "far"} {
		each[order] = registry.NewMemoryRegistry()
		all.views = append(all.views, follow.Datacenter{Name: name, Registry: seen{each[order], follow.Place{Datacenter: name, Order: order}}})
	}
	all.Registry = each[0]
	return all, each
}

// goes picks some nodes and tells where they all are; "" when they are in several places.
func goes(t *testing.T, c *Cluster, w Want) string {
	t.Helper()
	where := map[string]bool{}
	last := ""
	for range 20 {
		n := pick(t, c, w)
		last = n.place.Datacenter
		where[last] = true
		n.End()
	}
	if len(where) > 1 {
		return ""
	}
	return last
}

// stand gives a cluster with two nodes in each datacenter.
func stand(t *testing.T) (c *Cluster, nodes map[string][]*Node, servers map[string]*grpc.Server, each [3]registry.Registry) {
	t.Helper()
	all, each := datacenters()
	servers = map[string]*grpc.Server{}
	for i, reg := range each {
		for _, id := range []string{"a", "b"} {
			addr, s := listening(t)
			id = all.views[i].Name + id
			servers[id] = s
			register(t, reg, id+" "+addr)
		}
	}
	cfg := config(all)
	cfg.Relist = 5 * time.Millisecond
	c = cluster(t, cfg)
	eventually(t, "all connected", func() bool { return up(c) == 6 })
	nodes = map[string][]*Node{}
	for _, n := range c.Nodes() {
		nodes[n.place.Datacenter] = append(nodes[n.place.Datacenter], n)
	}
	return c, nodes, servers, each
}

func TestTheNearestDatacenterThatCanBeCalled(t *testing.T) {
	c, nodes, servers, _ := stand(t)
	if got := goes(t, c, Want{}); got != "near" {
		t.Fatalf("calls go to %q", got)
	}
	servers["neara"].Stop()
	eventually(t, "one has gone", func() bool { return up(c) == 5 })
	if got := goes(t, c, Want{Strategy: RoundRobin}); got != "near" {
		t.Errorf("with one of two left, calls go to %q", got)
	}
	servers["nearb"].Stop()
	servers["middlea"].Stop()
	servers["middleb"].Stop()
	eventually(t, "only the last stand", func() bool { return up(c) == 2 })
	if got := goes(t, c, Want{Key: "k"}); got != "far" {
		t.Errorf("with none left near, calls go to %q", got)
	}
	for _, d := range c.Datacenters() {
		if d.InUse != (d.Name == "far") || d.Nodes != 2 || d.Healthy > 0 != (d.Name == "far") || d.Calls == 0 != (d.Name == "middle") {
			t.Errorf("it tells: %+v", d)
		}
	}
	for _, at := range []string{"middle", "near"} { // back in steps
		lis, err := net.Listen("tcp", nodes[at][0].Registry.Address)
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer()
		go func() { _ = s.Serve(lis) }()
		t.Cleanup(s.Stop)
		eventually(t, "calls go back to "+at, func() bool { return goes(t, c, Want{}) == at })
	}
}

// Nodes that refuse calls, or are silent, are as good as none; when all were set aside, one call finds out that they are well again.
func TestADatacenterThatRefuses(t *testing.T) {
	c, nodes, _, _ := stand(t)
	for _, n := range nodes["near"] {
		for range consecutive {
			n.Refused()
		}
	}
	if got := goes(t, c, Want{}); got != "middle" {
		t.Fatalf("calls go to %q", got)
	}
	var probe *Node
	eventually(t, "a call looks", func() bool {
		probe = pick(t, c, Want{})
		defer probe.End()
		return probe.place.Datacenter == "near"
	})
	probe.Succeeded()
	if got := goes(t, c, Want{}); got != "near" {
		t.Errorf("after it was answered, calls go to %q", got)
	}
	for _, n := range nodes["near"] {
		n.Succeeded()
		n.falls(time.Now())
	}
	if got := goes(t, c, Want{}); got != "middle" {
		t.Errorf("with silent ones, calls go to %q", got)
	}
	nodes["near"][1].speaks()
	if got := goes(t, c, Want{}); got != "near" {
		t.Errorf("when one speaks, calls go to %q", got)
	}
}

// When most nodes everywhere refuse, the fault is not theirs: half of a datacenter's stay in use.
func TestNotAllAreSetAside(t *testing.T) {
	c, nodes, _, _ := stand(t)
	for _, at := range []string{"near", "middle", "far"} {
		for _, n := range nodes[at] {
			for range consecutive {
				n.Refused()
			}
		}
	}
	if got := goes(t, c, Want{}); got != "far" {
		t.Errorf("calls go to %q", got)
	}
}

// A call that failed on all of one datacenter's nodes goes on in the next; one that was turned away there does not.
func TestACallGoesBeyond(t *testing.T) {
	c, nodes, _, _ := stand(t)
	if got := goes(t, c, Want{Tried: nodes["near"], Beyond: true}); got != "middle" {
		t.Errorf("a call that failed goes to %q", got)
	}
	if got := goes(t, c, Want{Tried: nodes["near"][:1], Beyond: true}); got != "near" {
		t.Errorf("while another is near it goes to %q", got)
	}
	if got := goes(t, c, Want{Tried: nodes["near"]}); got != "near" {
		t.Errorf("a call that was turned away goes to %q", got)
	}
	if got := goes(t, c, Want{Tried: append(nodes["near"], nodes["middle"]...), Beyond: true}); got != "far" {
		t.Errorf("a call that failed in two goes to %q", got)
	}
}

// A registry that lost its memory takes no datacenter's nodes away whose connections stand.
func TestADatacenterIsForgotten(t *testing.T) {
	c, nodes, servers, each := stand(t)
	for _, n := range nodes["near"] {
		if err := each[0].Deregister(&registry.Service{Name: "s", Version: "1", Nodes: []*registry.Node{n.Registry}}); err != nil {
			t.Fatal(err)
		}
	}
	added, _ := listening(t)
	register(t, each[2], "new "+added) // a list that comes later than the empty one
	eventually(t, "another list", func() bool { return len(c.Nodes()) == 7 })
	if got := goes(t, c, Want{}); got != "near" {
		t.Errorf("calls go to %q", got)
	}
	servers["neara"].Stop()
	servers["nearb"].Stop()
	eventually(t, "nodes that neither the registry nor their connection speaks for are gone", func() bool { return len(c.Nodes()) == 5 })
	if got := goes(t, c, Want{}); got != "middle" {
		t.Errorf("then calls go to %q", got)
	}
}

// The first call waits for a connection near by, though one far away stands already.
func TestTheFirstCallStaysNear(t *testing.T) {
	all, each := datacenters()
	far, _ := listening(t)
	register(t, each[1], "far "+far)
	lis, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and says nothing yet
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	t.Cleanup(s.Stop)
	register(t, each[0], "near "+lis.Addr().String())
	cfg := config(all)
	cfg.FirstList, cfg.Connect = 10*time.Second, 10*time.Second
	c := cluster(t, cfg)
	picked := make(chan string, 1)
	go func() {
		n, err := c.Pick(context.WithoutCancel(t.Context()), Want{})
		if err != nil {
			picked <- err.Error()
			return
		}
		picked <- n.place.Datacenter
		n.End()
	}()
	eventually(t, "the far one stands", func() bool { return up(c) == 1 })
	go func() { _ = s.Serve(lis) }()
	if got := <-picked; got != "near" {
		t.Errorf("the first call goes to %q", got)
	}
}

package main_test

import (
	"testing"

	"calotype/test/servers"
)

// Gateways of another datacenter get the requests while none of one's own is well, and nobody notices that they are far.
func TestTheNextDatacentersGateways(t *testing.T) {
	consul := servers.NewConsulDatacenters(t, "dc1", "dc2")
	near, far := bookAt(t, consul[0]), bookAt(t, consul[1])
	own, there := newGateway(t, hello), newGateway(t, hello)
	e := start(t, nil, near.env(), "CALOTYPE_REGISTRY__DATACENTERS=dc2")
	who := func() string {
		t.Helper()
		a := e.get("/v1/x")
		if a.StatusCode != 200 {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
		return a.Header.Get("X-Gateway")
	}
	far.join(there)
	e.eventually("the other datacenter's gateway is found", func() bool { return e.get("/v1/x").StatusCode == 200 })
	near.join(own)
	goes := func(to *gateway) {
		t.Helper()
		e.eventually("requests go to "+to.addr, func() bool {
			for range 12 {
				if who() != to.addr {
					return false
				}
			}
			return true
		})
	}
	goes(own)
	if n := e.metric(`calotype_edge_nodes{state="spare"}`); n != 1 {
		t.Errorf("%v gateways are spare, want the one far away", n)
	}
	own.server.Close()
	goes(there)
	again := newGateway(t, hello)
	near.join(again)
	goes(again)
}

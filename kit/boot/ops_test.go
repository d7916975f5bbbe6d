package boot

import (
	"net"
	"testing"
)

// The registry tells the port of a node's metrics only where it is to be had at the node's own address.
func TestNodesTellWhereTheirMetricsAre(t *testing.T) {
	for _, c := range []struct {
		ops, listen, advertise string
		told                   bool
	}{
		{ops: "127.0.0.1:0", listen: "127.0.0.1:0", told: true},
		{ops: ":0", listen: ":0", told: true},
		{ops: ":0", listen: "127.0.0.1:0", advertise: "node:1", told: true},
		{ops: "127.0.0.1:0", listen: ":0"},
		{ops: "127.0.0.1:0", listen: "127.0.0.1:0", advertise: "node"},
		{ops: "127.0.0.1:0", listen: ":0", advertise: "127.0.0.1", told: true},
		{ops: "", listen: ":0"},
	} {
		h := newHost(t, func(cfg *Config) { cfg.Ops.Listen = c.ops })
		given := map[string]string{"a": "b"}
		md := h.withOps(given, c.listen, c.advertise)
		want := ""
		if c.told {
			_, want, _ = net.SplitHostPort(h.OpsAddr())
		}
		if md["ops"] != want || md["a"] != "b" || len(given) != 1 {
			t.Errorf("%+v: %v of %v, want port %q", c, md, h.OpsAddr(), want)
		}
	}
}

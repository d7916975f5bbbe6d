package metrics

import (
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"calotype/kit/registry/follow"
	"calotype/kit/rpc"
)

// twice is a memory registry that stands for two datacenters.
type twice struct{ registry.Registry }

func (r twice) Datacenters() []follow.Datacenter {
	return []follow.Datacenter{{Registry: marked(r)}, {Name: "dc2", Registry: registry.NewMemoryRegistry()}}
}

type marked struct{ registry.Registry }

func (m marked) GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error) {
	services, err := m.Registry.GetService(name, opts...)
	follow.Place{Datacenter: "dc1"}.Mark(services)
	return services, err
}

func TestDatacenters(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	go func() { _ = s.Serve(lis) }()
	t.Cleanup(s.Stop)
	reg := registry.NewMemoryRegistry()
	if err := reg.Register(&registry.Service{Name: "s", Version: "1", Nodes: []*registry.Node{{Id: "a", Address: lis.Addr().String()}}}); err != nil {
		t.Fatal(err)
	}
	c := rpc.NewClient(rpc.ClientConfig{Log: slog.New(slog.DiscardHandler)}, client.Registry(twice{reg}))
	t.Cleanup(func() { _ = c.Close() })
	r := prometheus.NewRegistry()
	Datacenters(r, c)
	_ = c.Conn("s").Invoke(t.Context(), "/s.S/M", &emptypb.Empty{}, &emptypb.Empty{}) // nobody serves it
	want := `
# HELP calotype_rpc_client_datacenter_in_use 1 for the datacenter that calls go to, 0 for the others.
# TYPE calotype_rpc_client_datacenter_in_use gauge
calotype_rpc_client_datacenter_in_use{datacenter="dc1",service="s"} 1
# HELP calotype_rpc_client_datacenter_nodes Nodes that are known, by whether they can be called.
# TYPE calotype_rpc_client_datacenter_nodes gauge
calotype_rpc_client_datacenter_nodes{datacenter="dc1",service="s",state="healthy"} 1
calotype_rpc_client_datacenter_nodes{datacenter="dc1",service="s",state="unhealthy"} 0
`
	names := []string{"calotype_rpc_client_datacenter_in_use", "calotype_rpc_client_datacenter_nodes"}
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if d := c.Datacenters(); len(d) != 1 || d[0].Calls == 0 {
		t.Errorf("it tells: %+v", d)
	}
}

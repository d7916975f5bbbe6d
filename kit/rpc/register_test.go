package rpc

import (
	"fmt"
	"slices"
	"testing"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/grpc"

	greeterv1 "calotype/proto/greeter/v1"
	nodev1 "calotype/proto/node/v1"
	storagev1 "calotype/proto/storage/v1"
)

func TestNodesNameTheirGRPCServices(t *testing.T) {
	reg := registry.NewMemoryRegistry()
	s, err := NewServer(ServerConfig{}, server.Name("x"), server.Address("127.0.0.1:0"), server.Registry(reg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop() })
	nodev1.RegisterNodesServer(s.GRPC(), nodev1.UnimplementedNodesServer{})
	storagev1.RegisterStorageServer(s.GRPC(), storagev1.UnimplementedStorageServer{})
	s.GRPC().RegisterService(&grpc.ServiceDesc{ServiceName: "grpc.examples.Echo"}, nil)
	if err := greeterv1.RegisterGreeterHandler(s, struct{ greeterv1.GreeterHandler }{}, server.InternalHandler(true)); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	found, err := reg.GetService("x")
	if err != nil {
		t.Fatal(err)
	}
	if got := Announced(found[0].Nodes[0].Metadata); !slices.Equal(got, []string{"grpc.examples.Echo", "storage.v1.Storage"}) {
		t.Errorf("it names %v", got)
	}
}

func TestNoValueIsLongerThanConsulTakes(t *testing.T) {
	var services []string
	for i := range 60 {
		services = append(services, fmt.Sprintf("some.company.department.v1.Service%02d", i))
	}
	md := map[string]string{}
	announce(md, services)
	for k, v := range md {
		if len(v) > 512 {
			t.Errorf("%s has %d bytes", k, len(v))
		}
	}
	if got := Announced(md); len(md) < 5 || !slices.Equal(got, services) {
		t.Errorf("in %d values, read as %v", len(md), got)
	}
	if Announced(nil) != nil {
		t.Error("a node that says nothing names services")
	}
}

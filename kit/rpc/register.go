package rpc

import (
	"maps"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// registered is what the registry is told of a server.
func registered(o server.Options, address string, endpoints []*registry.Endpoint) *registry.Service {
	md := maps.Clone(o.Metadata)
	if md == nil {
		md = map[string]string{}
	}
	md["protocol"], md["transport"], md["server"] = "grpc", "grpc", "grpc"
	md["registry"], md["version"] = o.Registry.String(), o.Version
	return &registry.Service{
		Name: o.Name, Version: o.Version, Endpoints: endpoints,
		Nodes: []*registry.Node{{Id: o.Name + "-" + o.Id, Address: address, Metadata: md}},
	}
}

// endpoints are what other go-micro tools list of a service. Messages are named, not spelled out: every watcher of the
// registry is sent all of this on every change.
func endpoints(h server.Handler, sd protoreflect.ServiceDescriptor) []*registry.Endpoint {
	var list []*registry.Endpoint
	for i := range sd.Methods().Len() {
		md := sd.Methods().Get(i)
		e := &registry.Endpoint{
			Name:     h.Name() + "." + string(md.Name()),
			Request:  &registry.Value{Name: string(md.Input().Name()), Type: string(md.Input().Name())},
			Response: &registry.Value{Name: string(md.Output().Name()), Type: string(md.Output().Name())},
			Metadata: map[string]string{"method": "/" + string(sd.FullName()) + "/" + string(md.Name())},
		}
		if md.IsStreamingClient() || md.IsStreamingServer() {
			e.Metadata["stream"] = "true"
		}
		maps.Copy(e.Metadata, h.Options().Metadata[e.Name])
		list = append(list, e)
	}
	return list
}

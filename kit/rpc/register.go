package rpc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ServicesKey is the metadata under which a node names its gRPC services, parted by commas. What does not fit goes on under
// grpc-2, grpc-3...: Consul takes no value beyond 512 bytes.
const ServicesKey = "grpc"

const maxValue = 512

// announce writes the names into md.
func announce(md map[string]string, services []string) {
	var value string
	for n, i := 1, 0; i < len(services); i++ {
		name := services[i]
		if value == "" {
			value = name
		} else if value += "," + name; len(value) > maxValue {
			value, n = name, n+1
		}
		md[servicesKey(n)] = value
	}
}

func servicesKey(n int) string {
	if n == 1 {
		return ServicesKey
	}
	return fmt.Sprintf("%s-%d", ServicesKey, n)
}

// Announced reads the names of a node's gRPC services from its metadata: all but those of handlers registered as internal
// (server.InternalHandler), health and reflection.
func Announced(md map[string]string) []string {
	var services []string
	for n := 1; md[servicesKey(n)] != ""; n++ {
		services = append(services, strings.Split(md[servicesKey(n)], ",")...)
	}
	return services
}

// OwnBusiness tells of a gRPC service that it speaks of the node that serves it, such as health: calls of it are for one node, not
// for any.
func OwnBusiness(service string) bool {
	for _, own := range []string{"grpc.health.", "grpc.reflection.", "grpc.channelz.", "node.v1."} {
		if strings.HasPrefix(service, own) {
			return true
		}
	}
	return false
}

// announced are the services of the server that any node of its name may serve.
func (s *Server) announced() []string {
	var services []string
	for name := range s.grpc.GetServiceInfo() {
		if !OwnBusiness(name) && !slices.Contains(s.internal, name) {
			services = append(services, name)
		}
	}
	slices.Sort(services)
	return services
}

// registered is what the registry is told of a server.
func registered(o server.Options, ping time.Duration, address string, endpoints []*registry.Endpoint, services []string) *registry.Service {
	md := maps.Clone(o.Metadata)
	if md == nil {
		md = map[string]string{}
	}
	md["protocol"], md["transport"], md["server"] = "grpc", "grpc", "grpc"
	md["registry"], md["version"] = o.Registry.String(), o.Version
	md[pingKey] = ping.String()
	announce(md, services)
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

package relay

import (
	"context"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	alphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"calotype/gateway/internal/catalog"
)

// Health tells whether the gateway is ready.
type Health interface{ Ready() bool }

// own is what the gateway answers itself, on a server in memory: its calls pass like all others, with the same bounds.
type own struct {
	server *grpc.Server
	conn   *grpc.ClientConn
}

func newOwn(c *catalog.Catalog, ready Health) (*own, error) {
	listener := bufconn.Listen(64 << 10)
	o := &own{server: grpc.NewServer()}
	healthpb.RegisterHealthServer(o.server, &health{catalog: c, ready: ready})
	opts := reflection.ServerOptions{Services: listed{c}, DescriptorResolver: c.Resolver()}
	reflectionpb.RegisterServerReflectionServer(o.server, reflection.NewServerV1(opts))
	alphapb.RegisterServerReflectionServer(o.server, reflection.NewServer(opts))
	go func() { _ = o.server.Serve(listener) }() // it ends by close alone
	var err error
	o.conn, err = grpc.NewClient("passthrough:///own", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		o.server.Stop()
	}
	return o, err
}

func (o *own) close() {
	_ = o.conn.Close()
	o.server.Stop()
}

// find gives a method of the gateway's own, nil for all others.
func (o *own) find(full string) (*catalog.Method, error) {
	service, method, _ := strings.Cut(strings.TrimPrefix(full, "/"), "/")
	if !strings.HasPrefix(service, "grpc.") {
		return nil, nil
	}
	info, ok := o.server.GetServiceInfo()[service]
	if !ok {
		return nil, nil
	}
	for _, m := range info.Methods {
		if m.Name == method {
			return &catalog.Method{Full: full, Unary: !m.IsClientStream && !m.IsServerStream,
				Stream: &grpc.StreamDesc{StreamName: method, ClientStreams: m.IsClientStream, ServerStreams: m.IsServerStream}}, nil
		}
	}
	return nil, status.Errorf(codes.Unimplemented, "%s has no method %.100q", service, method)
}

// listed is what reflection lists.
type listed struct{ *catalog.Catalog }

// GetServiceInfo names the services; grpc-go's reflection reads no more of it.
func (l listed) GetServiceInfo() map[string]grpc.ServiceInfo {
	info := map[string]grpc.ServiceInfo{healthpb.Health_ServiceDesc.ServiceName: {}, reflectionpb.ServerReflection_ServiceDesc.ServiceName: {}}
	for _, name := range l.Services() {
		info[name] = grpc.ServiceInfo{}
	}
	return info
}

// health is the gateway's, and of each service whether any node serves it. That of single nodes is asked by those who call them.
type health struct {
	healthpb.UnimplementedHealthServer
	catalog *catalog.Catalog
	ready   Health
}

func (h *health) of(service string) (healthpb.HealthCheckResponse_ServingStatus, bool) {
	up := h.ready.Ready()
	if service != "" {
		n, ok := h.catalog.Nodes(service)
		if !ok {
			return healthpb.HealthCheckResponse_SERVICE_UNKNOWN, false
		}
		up = up && n > 0
	}
	if up {
		return healthpb.HealthCheckResponse_SERVING, true
	}
	return healthpb.HealthCheckResponse_NOT_SERVING, true
}

// Check tells how things are now.
func (h *health) Check(_ context.Context, in *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	st, ok := h.of(in.GetService())
	if !ok {
		return nil, status.Errorf(codes.NotFound, "no service %.100q is known here", in.GetService())
	}
	return &healthpb.HealthCheckResponse{Status: st}, nil
}

// Watch tells whenever that changes, within a second.
func (h *health) Watch(in *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	told := healthpb.HealthCheckResponse_UNKNOWN
	for {
		if st, _ := h.of(in.GetService()); st != told {
			if err := stream.Send(&healthpb.HealthCheckResponse{Status: st}); err != nil {
				return err
			}
			told = st
		}
		select {
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		case <-tick.C:
		}
	}
}

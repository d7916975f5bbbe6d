package app_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// stranger is a third party's service on grpc-go alone, of whose contract the gateway knows nothing: stranger.v1.Echo has Once, Down,
// Up and Both, each of google.protobuf.BytesValue.
type stranger struct {
	*grpc.Server
	addr   string
	calls  atomic.Int64
	seen   atomic.Pointer[metadata.MD]
	moved  atomic.Int64  // bytes that streams sent or took
	left   chan struct{} // gets one when a waiting call ends
	resume chan struct{} // closed when Up and Both go on reading
	within atomic.Int64  // how long a call had when it came
}

const echo = "/stranger.v1.Echo/"

// does is what Once and Both make of a message, whose text may ask for more than an echo.
func (s *stranger) does(ctx context.Context, in []byte, header func(metadata.MD) error, trailer func(metadata.MD)) (*wrapperspb.BytesValue, error) {
	s.calls.Add(1)
	md, _ := metadata.FromIncomingContext(ctx)
	s.seen.Store(&md)
	if end, ok := ctx.Deadline(); ok {
		s.within.Store(int64(time.Until(end)))
	}
	switch string(in) {
	case "fail":
		st, _ := status.New(codes.Aborted, "nö 100%").WithDetails(&errdetails.ErrorInfo{Reason: "STRANGE", Domain: "stranger"}, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Minute)})
		trailer(metadata.Pairs("x-told", "in the end", "x-secret", "1"))
		return nil, st.Err()
	case "wait":
		<-ctx.Done()
		s.left <- struct{}{}
		return nil, ctx.Err()
	case "metadata":
		_ = header(metadata.Pairs("x-told", "at once", "x-told-bin", "\x00\xff", "x-secret", "1"))
		trailer(metadata.Pairs("x-told", "in the end", "x-secret", "1"))
	}
	return wrapperspb.Bytes(in), nil
}

func (s *stranger) once(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	in := &wrapperspb.BytesValue{}
	if err := dec(in); err != nil {
		return nil, err
	}
	return s.does(ctx, in.GetValue(), func(md metadata.MD) error { return grpc.SendHeader(ctx, md) }, func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) })
}

// down answers with as many chunks as the message has bytes, or without end for none.
func (s *stranger) down(_ any, ss grpc.ServerStream) error {
	in := &wrapperspb.BytesValue{}
	if err := ss.RecvMsg(in); err != nil {
		return err
	}
	chunk := wrapperspb.Bytes(make([]byte, 64<<10))
	for i := 0; len(in.GetValue()) == 0 || i < len(in.GetValue()); i++ {
		if err := ss.SendMsg(chunk); err != nil {
			s.left <- struct{}{}
			return err
		}
		s.moved.Add(64 << 10)
	}
	return nil
}

// up tells how many bytes came.
func (s *stranger) up(_ any, ss grpc.ServerStream) error {
	<-s.resume
	var n int64
	for {
		in := &wrapperspb.BytesValue{}
		err := ss.RecvMsg(in)
		if errors.Is(err, io.EOF) {
			return ss.SendMsg(wrapperspb.Bytes(big(n)))
		}
		if err != nil {
			return err
		}
		n += int64(len(in.GetValue()))
	}
}

func big(n int64) []byte { return []byte(time.Duration(n).String()) }

func (s *stranger) both(_ any, ss grpc.ServerStream) error {
	_ = ss.SendHeader(metadata.Pairs("x-told", "before anything"))
	for {
		in := &wrapperspb.BytesValue{}
		if err := ss.RecvMsg(in); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		out, err := s.does(ss.Context(), in.GetValue(), ss.SetHeader, ss.SetTrailer)
		if err != nil {
			return err
		}
		if err := ss.SendMsg(out); err != nil {
			return err
		}
	}
}

// newStranger runs a node of the service beside the stage's, and tells the registry.
func newStranger(t *testing.T, s *stage, id string, described bool) *stranger {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	n := &stranger{Server: grpc.NewServer(grpc.MaxRecvMsgSize(100 << 20)), addr: l.Addr().String(), left: make(chan struct{}, 100), resume: make(chan struct{})}
	n.RegisterService(&grpc.ServiceDesc{
		ServiceName: "stranger.v1.Echo",
		Methods:     []grpc.MethodDesc{{MethodName: "Once", Handler: n.once}},
		Streams: []grpc.StreamDesc{{StreamName: "Down", Handler: n.down, ServerStreams: true}, {StreamName: "Up", Handler: n.up, ClientStreams: true},
			{StreamName: "Both", Handler: n.both, ServerStreams: true, ClientStreams: true}},
	}, nil)
	if described {
		reflectionpb.RegisterServerReflectionServer(n.Server, reflection.NewServerV1(reflection.ServerOptions{Services: n.Server, DescriptorResolver: strange(t)}))
	}
	go func() { _ = n.Serve(l) }()
	t.Cleanup(n.Stop)
	service := &registry.Service{Name: "stranger", Version: "1", Nodes: []*registry.Node{{Id: id, Address: n.addr, Metadata: map[string]string{"grpc": "stranger.v1.Echo"}}}}
	s.must(s.host.Registry.Register(service))
	return n
}

// strange describes the service.
func strange(t *testing.T) protodesc.Resolver {
	t.Helper()
	value := proto.String(".google.protobuf.BytesValue")
	method := func(name string, up, down bool) *descriptorpb.MethodDescriptorProto {
		m := &descriptorpb.MethodDescriptorProto{Name: &name, InputType: value, OutputType: value, ClientStreaming: &up, ServerStreaming: &down}
		if name == "Once" || name == "Down" {
			m.Options = &descriptorpb.MethodOptions{IdempotencyLevel: descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()}
		}
		return m
	}
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("stranger.proto"), Package: proto.String("stranger.v1"), Syntax: proto.String("proto3"), Dependency: []string{"google/protobuf/wrappers.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Echo"), Method: []*descriptorpb.MethodDescriptorProto{
			method("Once", false, false), method("Down", false, true), method("Up", true, false), method("Both", true, true)}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	files := &protoregistry.Files{}
	if err := files.RegisterFile(fd); err != nil {
		t.Fatal(err)
	}
	return resolver{files}
}

type resolver struct{ *protoregistry.Files }

func (r resolver) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if fd, err := r.Files.FindFileByPath(path); err == nil {
		return fd, nil
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

// dial connects a plain client to a gateway.
func (s *stage) dial(opts ...grpc.DialOption) *grpc.ClientConn {
	s.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(s.url, "http://"), append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	s.must(err)
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// routed waits until the gateway knows a service as having nodes, or none.
func (s *stage) routed(conn *grpc.ClientConn, service string, want healthpb.HealthCheckResponse_ServingStatus) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	watch, err := healthpb.NewHealthClient(conn).Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
	s.must(err)
	for {
		rsp, err := watch.Recv()
		s.must(err)
		if rsp.GetStatus() == want {
			return
		}
	}
}

// services are what reflection lists.
func services(t *testing.T, conn *grpc.ClientConn) (names []string) {
	t.Helper()
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	rsp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range rsp.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	slices.Sort(names)
	return names
}

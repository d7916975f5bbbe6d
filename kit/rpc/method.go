package rpc

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// clientMethod is what a client knows of a method, from its descriptor where one is linked in.
type clientMethod struct {
	full       string // /greeter.v1.Greeter/Hello
	endpoint   string // Greeter.Hello
	idempotent bool
	stream     *grpc.StreamDesc // nil: not known, or unary
	known      bool
}

// methods caches what a client looked up, by the name it was called by: all that are described, and so many others as strangers who
// choose names may not fill memory with.
type methods struct {
	byName sync.Map
	others atomic.Int32
}

const maxOthers = 1024

// find reads a method by gRPC's name (/greeter.v1.Greeter/Hello) or by go-micro's (greeter.v1.Greeter.Hello, or Greeter.Hello,
// which the type of the request completes).
func (m *methods) find(name string, body any) (*clientMethod, error) {
	if found, ok := m.byName.Load(name); ok {
		return found.(*clientMethod), nil
	}
	full, err := fullMethod(name, body)
	if err != nil {
		return nil, err
	}
	cm := &clientMethod{full: full}
	service, method, _ := strings.Cut(full[1:], "/")
	cm.endpoint = service[strings.LastIndexByte(service, '.')+1:] + "." + method
	if d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + method)); err == nil {
		if md, ok := d.(protoreflect.MethodDescriptor); ok {
			cm.describe(md)
		}
	}
	// A short name means one thing with one request and another with another.
	if strings.HasPrefix(name, "/") && (cm.known || m.others.Add(1) <= maxOthers) {
		m.byName.Store(name, cm)
	}
	return cm, nil
}

func (m *clientMethod) describe(md protoreflect.MethodDescriptor) {
	m.known = true
	if o, ok := md.Options().(*descriptorpb.MethodOptions); ok {
		level := o.GetIdempotencyLevel()
		m.idempotent = level == descriptorpb.MethodOptions_NO_SIDE_EFFECTS || level == descriptorpb.MethodOptions_IDEMPOTENT
	}
	if md.IsStreamingClient() || md.IsStreamingServer() {
		m.stream = &grpc.StreamDesc{StreamName: string(md.Name()), ClientStreams: md.IsStreamingClient(), ServerStreams: md.IsStreamingServer()}
	}
}

func fullMethod(name string, body any) (string, error) {
	if strings.HasPrefix(name, "/") {
		if strings.Count(name, "/") != 2 || strings.HasSuffix(name, "/") || strings.HasPrefix(name, "//") {
			return "", fmt.Errorf("rpc: %q is not a method: want /package.Service/Method", name)
		}
		return name, nil
	}
	service, method, ok := cutLast(name, ".")
	if !ok {
		return "", fmt.Errorf("rpc: %q is not a method: want /package.Service/Method or Service.Method", name)
	}
	if strings.Contains(service, ".") {
		return "/" + service + "/" + method, nil
	}
	msg, ok := body.(proto.Message)
	if !ok {
		return "", fmt.Errorf("rpc: %q: the request is %T, not a proto message", name, body)
	}
	input := msg.ProtoReflect().Descriptor().FullName()
	var found []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			sd := f.Services().Get(i)
			md := sd.Methods().ByName(protoreflect.Name(method))
			if string(sd.Name()) == service && md != nil && md.Input().FullName() == input {
				found = append(found, "/"+string(sd.FullName())+"/"+method)
			}
		}
		return true
	})
	if len(found) != 1 {
		return "", fmt.Errorf("rpc: %q with a %s fits %d proto services: write /package.Service/Method", name, input, len(found))
	}
	return found[0], nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i <= 0 || i+len(sep) == len(s) {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

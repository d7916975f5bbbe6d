package rpc

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// serviceKey is where ServiceName keeps the name among a handler's endpoint metadata; no endpoint can be called so.
const serviceKey = "\x00service"

// ServiceName says which proto service a handler implements, where its Go name and methods fit more than one.
func ServiceName(full string) server.HandlerOption {
	return func(o *server.HandlerOptions) { o.Metadata[serviceKey] = map[string]string{"name": full} }
}

// describe finds the proto service that a go-micro handler implements: the one of that short name whose methods the handler
// has, with the same messages. The package of the generated stub decides where two packages declare the same service.
func describe(h server.Handler) (protoreflect.ServiceDescriptor, error) {
	if said := h.Options().Metadata[serviceKey]["name"]; said != "" {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(said))
		if err != nil {
			return nil, fmt.Errorf("rpc: handler %s: no proto service %q is linked in", h.Name(), said)
		}
		sd, ok := d.(protoreflect.ServiceDescriptor)
		if !ok {
			return nil, fmt.Errorf("rpc: handler %s: %q is not a service", h.Name(), said)
		}
		return sd, implements(h, sd)
	}
	var found []protoreflect.ServiceDescriptor
	var why error
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			sd := f.Services().Get(i)
			if string(sd.Name()) != h.Name() {
				continue
			}
			if err := implements(h, sd); err != nil {
				why = err
				continue
			}
			found = append(found, sd)
		}
		return true
	})
	if len(found) > 1 {
		found = declaredIn(goPackage(h.Handler()), found)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		names := make([]string, len(found))
		for i, sd := range found {
			names[i] = string(sd.FullName())
		}
		return nil, fmt.Errorf("rpc: handler %s fits %s: say which by rpc.ServiceName", h.Name(), strings.Join(names, " and "))
	case why != nil:
		return nil, why
	}
	return nil, fmt.Errorf("rpc: handler %s: no proto service of that name is linked in", h.Name())
}

// implements says what of a service a handler lacks.
func implements(h server.Handler, sd protoreflect.ServiceDescriptor) error {
	typ := reflect.TypeOf(h.Handler())
	for i := range sd.Methods().Len() {
		md := sd.Methods().Get(i)
		m, ok := typ.MethodByName(string(md.Name()))
		if !ok {
			return fmt.Errorf("rpc: handler %s lacks %s", h.Name(), md.FullName())
		}
		if !fits(m.Type, md) {
			return fmt.Errorf("rpc: handler %s: method %s is %s, which does not fit %s", h.Name(), m.Name, m.Type, md.FullName())
		}
	}
	return nil
}

var (
	contextType = reflect.TypeFor[context.Context]()
	streamType  = reflect.TypeFor[server.Stream]()
	errorType   = reflect.TypeFor[error]()
)

// fits compares a Go method, receiver included, with its descriptor.
func fits(t reflect.Type, md protoreflect.MethodDescriptor) bool {
	if t.NumOut() != 1 || t.Out(0) != errorType || t.NumIn() < 3 || t.In(1) != contextType {
		return false
	}
	if md.IsStreamingClient() || md.IsStreamingServer() {
		return t.NumIn() == 3 && t.In(2) == streamType
	}
	return t.NumIn() == 4 && carries(t.In(2), md.Input()) && carries(t.In(3), md.Output())
}

func carries(t reflect.Type, d protoreflect.MessageDescriptor) bool {
	if t.Kind() != reflect.Pointer {
		return false
	}
	m, ok := reflect.Zero(t).Interface().(proto.Message)
	return ok && m.ProtoReflect().Descriptor().FullName() == d.FullName()
}

// goPackage is where the type behind a handler was declared: for a stub of protoc-gen-micro, the package of the messages.
func goPackage(handler any) string {
	t := reflect.TypeOf(handler)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
}

func declaredIn(pkg string, services []protoreflect.ServiceDescriptor) []protoreflect.ServiceDescriptor {
	var in []protoreflect.ServiceDescriptor
	for _, sd := range services {
		if o, ok := sd.ParentFile().Options().(*descriptorpb.FileOptions); ok {
			if path, _, _ := strings.Cut(o.GetGoPackage(), ";"); path == pkg {
				in = append(in, sd)
			}
		}
	}
	if len(in) == 0 {
		return services
	}
	return in
}

package catalog

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"calotype/kit/fault"
	"calotype/kit/rpc"
)

// Method is a method that may be called.
type Method struct {
	Full       string // /package.Service/Method
	Registry   string // the name under which its nodes are found
	Unary      bool
	Idempotent bool             // it declares that it may be repeated
	Stream     *grpc.StreamDesc // of one that is not unary, or of which nothing is known
	Described  bool
}

// the most methods that are passed on in good faith, for services that describe themselves nowhere
const maxOpaque = 1000

// Find finds a method that a stranger wants to call. Its errors are for that stranger.
func (c *Catalog) Find(ctx context.Context, full string) (*Method, error) {
	snap := c.now.Load()
	if m, ok := snap.methods.Load(full); ok {
		return m.(*Method), nil
	}
	service, method, ok := strings.Cut(strings.TrimPrefix(full, "/"), "/")
	if !ok || !strings.HasPrefix(full, "/") || service == "" || method == "" || strings.Contains(method, "/") {
		return nil, status.Errorf(codes.Unimplemented, "%.100q is no method: want /package.Service/Method", full)
	}
	e := snap.services[service]
	if e == nil && !rpc.OwnBusiness(service) && c.stale(time.Second) {
		c.refresh(ctx) // it may have come just now
		snap = c.now.Load()
		e = snap.services[service]
	}
	switch {
	case e == nil || !c.cfg.Rules.Service(service):
		return nil, status.Errorf(codes.Unimplemented, "no service %.100q is known here; there are %s", service, strings.Join(c.Services(), ", "))
	case !c.cfg.Rules.Method(service, method):
		return nil, fault.New(fault.Denied, "METHOD_NOT_OPEN", "%.200s may not be called from outside", full)
	}
	m := &Method{Full: full, Registry: e.registry}
	sd := linked(service)
	if sd == nil || sd.Methods().ByName(protoreflect.Name(method)) == nil {
		// Unknown to us, or newer than what was linked in.
		if theirs := c.files.of(ctx, e); theirs != nil {
			sd = theirs
		}
	}
	if sd == nil {
		if !c.mayPass(full) {
			return nil, status.Errorf(codes.Unimplemented, "%.100q does not describe itself, and has been asked for too many methods", service)
		}
		m.Stream = &grpc.StreamDesc{StreamName: method, ClientStreams: true, ServerStreams: true}
		snap.methods.Store(full, m)
		return m, nil
	}
	md := sd.Methods().ByName(protoreflect.Name(method))
	if md == nil {
		return nil, status.Errorf(codes.Unimplemented, "%s has no method %.100q; it has %s", service, method, methods(sd))
	}
	m.describe(md)
	snap.methods.Store(full, m)
	return m, nil
}

// mayPass bounds the names that strangers have others remember, in figures of calls too.
func (c *Catalog) mayPass(full string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.opaque) >= maxOpaque && !c.opaque[full] {
		return false
	}
	c.opaque[full] = true
	return true
}

// Route names a request's method for metrics and logs: "" for what nobody ever called with success.
func (c *Catalog) Route(full string) string {
	if m, ok := c.now.Load().methods.Load(full); ok && m.(*Method).Described {
		return full
	}
	return ""
}

func (c *Catalog) stale(d time.Duration) bool {
	return time.Since(time.Unix(0, c.asked.Load())) > d
}

func (m *Method) describe(md protoreflect.MethodDescriptor) {
	m.Described = true
	if o, ok := md.Options().(*descriptorpb.MethodOptions); ok {
		level := o.GetIdempotencyLevel()
		m.Idempotent = level == descriptorpb.MethodOptions_NO_SIDE_EFFECTS || level == descriptorpb.MethodOptions_IDEMPOTENT
	}
	m.Unary = !md.IsStreamingClient() && !md.IsStreamingServer()
	if !m.Unary {
		m.Stream = &grpc.StreamDesc{StreamName: string(md.Name()), ClientStreams: md.IsStreamingClient(), ServerStreams: md.IsStreamingServer()}
	}
}

func methods(sd protoreflect.ServiceDescriptor) string {
	var names []string
	for i := range sd.Methods().Len() {
		names = append(names, string(sd.Methods().Get(i).Name()))
	}
	return strings.Join(names, ", ")
}

// linked gives the descriptor of a service of the contract.
func linked(service string) protoreflect.ServiceDescriptor {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil
	}
	sd, _ := d.(protoreflect.ServiceDescriptor)
	return sd
}

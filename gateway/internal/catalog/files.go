package catalog

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"go-micro.dev/v4/client"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Opener opens a stream to a node of a service: *rpc.Client.
type Opener interface {
	NewStream(ctx context.Context, service string, desc *grpc.StreamDesc, method string, opts ...client.CallOption) (grpc.ClientStream, error)
}

// files are what services that are not linked in say of themselves by reflection.
type files struct {
	opener Opener
	once   singleflight.Group
	mu     sync.Mutex
	known  map[string]*described
}

// described is what one service's nodes said; of other nodes it may not be true.
type described struct {
	version string
	set     *protoregistry.Files // nil: they do not tell
	asked   time.Time
}

// patience is how long a node has to tell; after a failure it is left alone for as long as respite.
const (
	patience = time.Second
	respite  = 5 * time.Second
)

// of gives the descriptor of a service as its nodes have it, nil where they do not tell.
func (f *files) of(ctx context.Context, e *entry) protoreflect.ServiceDescriptor {
	f.mu.Lock()
	d := f.known[e.name]
	f.mu.Unlock()
	if e.nodes > 0 && (d == nil || d.version != e.version && time.Since(d.asked) > time.Second || d.set == nil && time.Since(d.asked) > respite) {
		got := f.once.DoChan(e.name, func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			defer cancel()
			set, err := f.fetch(ctx, e)
			f.mu.Lock()
			defer f.mu.Unlock()
			if err != nil && f.known[e.name] != nil {
				set = f.known[e.name].set
			}
			if f.known == nil {
				f.known = map[string]*described{}
			}
			f.known[e.name] = &described{version: e.version, set: set, asked: time.Now()}
			return f.known[e.name], nil
		})
		select {
		case r := <-got:
			d = r.Val.(*described)
		case <-ctx.Done():
		}
	}
	if d == nil || d.set == nil {
		return nil
	}
	found, err := d.set.FindDescriptorByName(protoreflect.FullName(e.name))
	if err != nil {
		return nil
	}
	sd, _ := found.(protoreflect.ServiceDescriptor)
	return sd
}

// fetch asks any node, in the words of v1 or, where those are not known, under v1alpha's name: the messages are the same.
func (f *files) fetch(ctx context.Context, e *entry) (*protoregistry.Files, error) {
	set, err := f.ask(ctx, e, reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName)
	if status.Code(err) == codes.Unimplemented {
		set, err = f.ask(ctx, e, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
	}
	return set, err
}

func (f *files) ask(ctx context.Context, e *entry, method string) (*protoregistry.Files, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := f.opener.NewStream(ctx, e.registry, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		return nil, err
	}
	got := map[string]*descriptorpb.FileDescriptorProto{}
	want := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: e.name}}
	for want != nil {
		rsp := &reflectionpb.ServerReflectionResponse{}
		if err := stream.SendMsg(want); err != nil && !errors.Is(err, io.EOF) { // receiving tells why
			return nil, err
		}
		if err := stream.RecvMsg(rsp); err != nil {
			return nil, err
		}
		before := len(got)
		for _, b := range rsp.GetFileDescriptorResponse().GetFileDescriptorProto() {
			fd := &descriptorpb.FileDescriptorProto{}
			if err := proto.Unmarshal(b, fd); err != nil {
				return nil, err
			}
			got[fd.GetName()] = fd
		}
		if len(got) == 0 {
			return nil, errors.New("catalog: the service does not tell of itself")
		}
		want = nil
		if len(got) == before {
			break // nor will it tell of what is missing
		}
		for _, fd := range got {
			for _, dep := range fd.GetDependency() {
				if _, err := protoregistry.GlobalFiles.FindFileByPath(dep); got[dep] == nil && err != nil && len(got) < maxFiles {
					want = &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_FileByFilename{FileByFilename: dep}}
				}
			}
		}
	}
	return built(got)
}

// maxFiles is more than any service needs.
const maxFiles = 500

// built puts files together, those that are imported first. What cannot be found is left open: nothing here reads messages.
func built(got map[string]*descriptorpb.FileDescriptorProto) (*protoregistry.Files, error) {
	set := &protoregistry.Files{}
	var add func(name string) error
	add = func(name string) error {
		fd := got[name]
		if fd == nil {
			return nil
		}
		delete(got, name)
		for _, dep := range fd.GetDependency() {
			if err := add(dep); err != nil {
				return err
			}
		}
		file, err := protodesc.FileOptions{AllowUnresolvable: true}.New(fd, both{set, protoregistry.GlobalFiles})
		if err != nil {
			return err
		}
		return set.RegisterFile(file)
	}
	for len(got) > 0 {
		for name := range got {
			if err := add(name); err != nil {
				return nil, err
			}
		}
	}
	return set, nil
}

package catalog

import (
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// both looks in one place after the other.
type both [2]protodesc.Resolver

func (b both) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if fd, err := b[0].FindFileByPath(path); err == nil {
		return fd, nil
	}
	return b[1].FindFileByPath(path)
}

func (b both) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if d, err := b[0].FindDescriptorByName(name); err == nil {
		return d, nil
	}
	return b[1].FindDescriptorByName(name)
}

// Resolver finds the descriptors of all services: of the contract's, which are linked in, and of those that told of themselves.
func (c *Catalog) Resolver() protodesc.Resolver { return both{protoregistry.GlobalFiles, &c.files} }

// FindFileByPath looks through what services told.
func (f *files) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.known {
		if d.set != nil {
			if fd, err := d.set.FindFileByPath(path); err == nil {
				return fd, nil
			}
		}
	}
	return nil, protoregistry.NotFound
}

// FindDescriptorByName looks through what services told, first of all the service that is called so.
func (f *files) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := f.known[string(name)]; d != nil && d.set != nil {
		if found, err := d.set.FindDescriptorByName(name); err == nil {
			return found, nil
		}
	}
	for _, d := range f.known {
		if d.set != nil {
			if found, err := d.set.FindDescriptorByName(name); err == nil {
				return found, nil
			}
		}
	}
	return nil, protoregistry.NotFound
}

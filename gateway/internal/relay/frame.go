package relay

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// frame is a message that nobody here reads.
type frame struct{ data mem.BufferSlice }

func (f *frame) free() {
	f.data.Free()
	f.data = nil
}

// passing is the codec of frames: it hands their buffers over and copies nothing. A frame keeps its own hold of them, so that one that
// was sent can be sent again.
type passing struct{}

var _ encoding.CodecV2 = passing{}

func (passing) Name() string { return "proto" }

func (passing) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("relay: %T is no frame", v)
	}
	f.data.Ref()
	return f.data, nil
}

func (passing) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("relay: %T is no frame", v)
	}
	data.Ref()
	f.data = data
	return nil
}

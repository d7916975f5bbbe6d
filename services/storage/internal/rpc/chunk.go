package rpc

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"calotype/kit/buffers"
	storagev1 "calotype/proto/storage/v1"
)

// chunk is a storagev1.GetResponse with the next bytes, in the buffer that they were read into.
type chunk struct {
	buf *[]byte
	n   int
}

var chunkField = (&storagev1.GetResponse{}).ProtoReflect().Descriptor().Fields().ByName("chunk").Number()

// MarshalWire implements rpc.Outgoing.
func (c chunk) MarshalWire() mem.BufferSlice {
	head := protowire.AppendVarint(protowire.AppendTag(nil, chunkField, protowire.BytesType), uint64(c.n))
	*c.buf = (*c.buf)[:c.n]
	return mem.BufferSlice{mem.SliceBuffer(head), mem.NewBuffer(c.buf, buffers.Pool)}
}

package rpc

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	"calotype/kit/buffers"
)

// Incoming is a message that reads itself from the buffers in which it came, so that bytes that are bound for a place of their own are copied
// only once. The buffers are others' again when it returns.
type Incoming interface {
	UnmarshalWire(data mem.BufferSlice) error
}

// Outgoing is a message that gives the buffers in which it is to go, and gives them away.
type Outgoing interface {
	MarshalWire() mem.BufferSlice
}

// protobuf is grpc-go's own codec with this project's buffers. Having no name, it changes nothing on the wire.
type protobuf struct{}

var _ encoding.CodecV2 = protobuf{}

func (protobuf) Name() string { return "" }

func (protobuf) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(Outgoing); ok {
		return m.MarshalWire(), nil
	}
	m := messageOf(v)
	if m == nil {
		return nil, status.Errorf(codes.Internal, "%T is no protobuf message", v)
	}
	size := proto.Size(m)
	o := proto.MarshalOptions{UseCachedSize: true}
	if mem.IsBelowBufferPoolingThreshold(size) {
		b, err := o.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	b := buffers.Pool.Get(size)
	if _, err := o.MarshalAppend((*b)[:0], m); err != nil {
		buffers.Pool.Put(b)
		return nil, err
	}
	return mem.BufferSlice{mem.NewBuffer(b, buffers.Pool)}, nil
}

func (protobuf) Unmarshal(data mem.BufferSlice, v any) error {
	if m, ok := v.(Incoming); ok {
		return m.UnmarshalWire(data)
	}
	m := messageOf(v)
	if m == nil {
		return status.Errorf(codes.Internal, "%T is no protobuf message", v)
	}
	b := data.MaterializeToBuffer(buffers.Pool)
	defer b.Free()
	return proto.Unmarshal(b.ReadOnlyData(), m)
}

func messageOf(v any) proto.Message {
	switch v := v.(type) {
	case protoadapt.MessageV2:
		return v
	case protoadapt.MessageV1:
		return protoadapt.MessageV2Of(v)
	}
	return nil
}

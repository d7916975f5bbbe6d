package blobclient

import (
	"encoding/binary"
	"io"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"calotype/kit/buffers"
	storagev1 "calotype/proto/storage/v1"
)

// part is a storagev1.GetResponse whose chunk goes from the wire to its place: originals are large, and each copy of one costs as much as
// the kernel's.
type part struct {
	rest []byte // what is still to come goes here
	over bool   // more came
}

var chunkTag = protowire.EncodeTag((&storagev1.GetResponse{}).ProtoReflect().Descriptor().Fields().ByName("chunk").Number(), protowire.BytesType)

// UnmarshalWire implements rpc.Incoming.
func (p *part) UnmarshalWire(data mem.BufferSlice) error {
	r := data.Reader()
	defer r.Close()
	if tag, err := binary.ReadUvarint(r); err == nil && tag == chunkTag {
		if n, err := binary.ReadUvarint(r); err == nil && n == uint64(r.Remaining()) {
			if n > uint64(len(p.rest)) {
				p.over = true
				return nil
			}
			_, err = io.ReadFull(r, p.rest[:n])
			p.rest = p.rest[n:]
			return err
		}
	}
	return p.unmarshal(data)
}

// unmarshal reads what has another form than every server's so far.
func (p *part) unmarshal(data mem.BufferSlice) error {
	b, m := data.MaterializeToBuffer(buffers.Pool), &storagev1.GetResponse{}
	defer b.Free()
	if err := proto.Unmarshal(b.ReadOnlyData(), m); err != nil {
		return err
	}
	n := copy(p.rest, m.GetChunk())
	p.rest, p.over = p.rest[n:], n < len(m.GetChunk())
	return nil
}

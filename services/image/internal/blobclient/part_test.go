package blobclient

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	storagev1 "calotype/proto/storage/v1"
)

// A chunk gets to its place in whatever buffers it came, and whatever a server of another version says beside it.
func TestChunksGetToTheirPlace(t *testing.T) {
	want := bytes.Repeat([]byte("calotype"), 1000)
	wire, err := proto.Marshal(&storagev1.GetResponse{Part: &storagev1.GetResponse_Chunk{Chunk: want}})
	if err != nil {
		t.Fatal(err)
	}
	more := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 7)
	for name, data := range map[string][][]byte{
		"whole":            {wire},
		"in pieces":        {wire[:1], wire[1:2], wire[2:500], wire[500:]},
		"with more behind": {wire, more},
		"with more before": {more, wire},
	} {
		var sent mem.BufferSlice
		for _, d := range data {
			sent = append(sent, mem.SliceBuffer(d))
		}
		place := make([]byte, len(want)+5)
		p := part{rest: place}
		if err := p.UnmarshalWire(sent); err != nil || p.over || len(p.rest) != 5 || !bytes.Equal(place[:len(want)], want) {
			t.Errorf("%s: %v, over %v, room for %d", name, err, p.over, len(p.rest))
		}
		p = part{rest: place[:len(want)-1]}
		if err := p.UnmarshalWire(sent); err != nil || !p.over {
			t.Errorf("%s, more than there is room for: %v, %v", name, err, p.over)
		}
	}
	for name, data := range map[string][]byte{"cut off": wire[:100], "no message": []byte("calotype")} {
		p := part{rest: make([]byte, len(want))}
		if err := p.UnmarshalWire(mem.BufferSlice{mem.SliceBuffer(data)}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	p := part{rest: make([]byte, 9)}
	if err := p.UnmarshalWire(nil); err != nil || len(p.rest) != 9 {
		t.Errorf("an empty message: %v", err)
	}
}

package blobtest

import (
	"bytes"
	"testing"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

var damages = map[string]func([]byte) []byte{
	"a bit flipped at the start": func(b []byte) []byte { b[0] ^= 1; return b },
	"a bit flipped at the end":   func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b },
	"cut off":                    func(b []byte) []byte { return b[:len(b)-1] },
	"longer":                     func(b []byte) []byte { return append(b, 0) },
	"emptied":                    func([]byte) []byte { return nil },
}

func damage(t *testing.T, s Subject) {
	i := uint64(0)
	for name, change := range damages {
		for _, size := range []int{1, 100_000, 2 << 20} {
			i++
			b := Content(i, size)
			d := put(t, s, b).Digest
			s.Damage(t, d, change)
			_, _, err := read(t.Context(), s.Store, d, 0, 0)
			t.Run(name, func(t *testing.T) { wantFault(t, err, fault.Internal, "BLOB_CORRUPT") })
			if _, _, err := readPart(t.Context(), s.Store, d, blob.Part{Unverified: true}); err != nil {
				t.Errorf("%s: left to the caller, it is %v", name, err)
			}
		}
	}
}

func healing(t *testing.T, s Subject) {
	i := uint64(0)
	for name, change := range damages {
		i++
		b := Content(i, 100_000)
		first := put(t, s, b)
		s.Damage(t, first.Digest, change)
		info, outcome, err := s.Store.Put(t.Context(), bytes.NewReader(b), blob.Want{Digest: first.Digest})
		if err != nil {
			t.Fatalf("%s: the put gave %v", name, err)
		}
		s.wantOutcome(t, outcome, blob.Healed)
		if got := wantStored(t, s, b); got != info {
			t.Errorf("%s: Put said %+v, it is %+v", name, info, got)
		}
		if _, outcome, err = s.Store.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err != nil {
			t.Fatalf("%s: the put after that gave %v", name, err)
		}
		s.wantOutcome(t, outcome, blob.Existed)
	}
}

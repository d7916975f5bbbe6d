package blobtest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
)

func sections(t *testing.T, s Subject) {
	b := Content(1, 2<<20+5)
	size := int64(len(b))
	d := put(t, s, b).Digest
	for _, c := range []struct{ offset, length, from, to int64 }{
		{0, 0, 0, size},
		{0, size, 0, size},
		{0, size + 1, 0, size},
		{0, 1, 0, 1},
		{0, size - 1, 0, size - 1},
		{1, 0, 1, size},
		{1 << 20, 1 << 20, 1 << 20, 2 << 20},
		{1<<20 - 1, 3, 1<<20 - 1, 1<<20 + 2},
		{size - 1, 0, size - 1, size},
		{size - 1, 1 << 62, size - 1, size},
		{size, 0, size, size},
		{size, 5, size, size},
	} {
		info, got, err := read(t.Context(), s.Store, d, c.offset, c.length)
		if err != nil || !bytes.Equal(got, b[c.from:c.to]) {
			t.Errorf("offset %d length %d: %d bytes, %v; want bytes %d to %d", c.offset, c.length, len(got), err, c.from, c.to)
		}
		if info.Size != size || info.Digest != d {
			t.Errorf("offset %d length %d: the description is of a part: %+v", c.offset, c.length, info)
		}
	}
	for _, c := range []struct{ offset, length int64 }{{size + 1, 0}, {1 << 62, 1}, {-1, 0}, {0, -1}} {
		_, _, err := read(t.Context(), s.Store, d, c.offset, c.length)
		wantFault(t, err, fault.Invalid, "OUT_OF_RANGE")
	}
}

func missing(t *testing.T, s Subject) {
	d := DigestOf(Content(1, 10))
	wantMissing(t, s, d)
	_, _, err := read(t.Context(), s.Store, d, 0, 0)
	wantFault(t, err, fault.NotFound, "BLOB_NOT_FOUND")
	_, _, err = read(t.Context(), s.Store, d, 5, 5)
	wantFault(t, err, fault.NotFound, "BLOB_NOT_FOUND")
}

func deletes(t *testing.T, s Subject) {
	b, kept := Content(1, 1000), Content(2, 1000)
	d := put(t, s, b).Digest
	put(t, s, kept)
	for range 2 {
		if err := s.Store.Delete(t.Context(), d, time.Time{}); err != nil {
			t.Fatal(err)
		}
		wantMissing(t, s, d)
	}
	wantStored(t, s, kept)
	put(t, s, b)
	wantStored(t, s, b)
}

func endedContext(t *testing.T, s Subject) {
	b := Content(1, 1000)
	d := put(t, s, b).Digest
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, put := s.Store.Put(ctx, bytes.NewReader(Content(2, 1000)), blob.Want{})
	_, _, open := read(ctx, s.Store, d, 0, 0)
	_, stat := s.Store.Stat(ctx, d)
	_, list := s.Store.List(ctx, blob.Digest{}, 10)
	_, touch := s.Store.Touch(ctx, d)
	remove := s.Store.Delete(ctx, d, time.Time{})
	for name, err := range map[string]error{"Put": put, "Open": open, "Stat": stat, "List": list, "Touch": touch, "Delete": remove} {
		if err == nil || !fault.Is(err, fault.Canceled) {
			t.Errorf("%s with an ended context gave %v", name, err)
		}
	}
	wantStored(t, s, b)
	wantMissing(t, s, DigestOf(Content(2, 1000)))
}

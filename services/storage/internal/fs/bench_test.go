package fs_test

import (
	"bytes"
	"io"
	"log/slog"
	"strconv"
	"testing"

	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	storefs "calotype/services/storage/internal/fs"
)

func BenchmarkStore(b *testing.B) {
	for _, size := range []int{10 << 10, 1 << 20, 64 << 20} {
		s, err := storefs.Open(storefs.Config{Root: b.TempDir()}, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		content := blobtest.Content(1, size)
		put := func(i int) blob.Info {
			copy(content, strconv.Itoa(i))
			info, _, err := s.Put(b.Context(), bytes.NewReader(content), blob.Want{})
			if err != nil {
				b.Fatal(err)
			}
			return info
		}
		b.Run("put/"+strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for i := range b.N {
				put(i)
			}
		})
		b.Run("put again/"+strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for range b.N {
				put(0)
			}
		})
		d := put(0).Digest
		b.Run("get/"+strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for range b.N {
				_, r, err := s.Open(b.Context(), d, blob.Part{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 256<<10)); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

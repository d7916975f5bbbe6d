package s3_test

import (
	"bytes"
	"io"
	"strconv"
	"testing"

	"github.com/minio/minio-go/v7"

	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	"calotype/test/servers"
)

// BenchmarkStore puts and gets, and does the same with the bare client at the same server, which neither hashes, names, notes a use nor
// looks afterwards.
func BenchmarkStore(b *testing.B) {
	cfg := configOf(servers.NewS3(b))
	s, raw := open(b, cfg), behind(b, cfg)
	if err := s.Usable(b.Context()); err != nil {
		b.Fatal(err)
	}
	read := func(b *testing.B, r io.ReadCloser, err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 256<<10)); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
	for _, size := range []int{10 << 10, 1 << 20, 32 << 20} {
		content, n := blobtest.Content(1, size), 0
		fresh := func() *bytes.Reader {
			n++
			copy(content, strconv.Itoa(n)+" ")
			return bytes.NewReader(content)
		}
		run := func(name string, do func(b *testing.B)) {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for range b.N {
					do(b)
				}
			})
		}
		var last blob.Info
		put := func(want func(*bytes.Reader) blob.Want) func(b *testing.B) {
			return func(b *testing.B) {
				r := fresh()
				var err error
				if last, _, err = s.Put(b.Context(), struct{ io.Reader }{r}, want(r)); err != nil {
					b.Fatal(err)
				}
			}
		}
		run("put", put(func(*bytes.Reader) blob.Want { return blob.Want{} }))
		run("put promised", put(func(*bytes.Reader) blob.Want { return blob.Want{Digest: blobtest.DigestOf(content)} }))
		run("bare put", func(b *testing.B) {
			r := fresh()
			if _, err := raw.PutObject(b.Context(), cfg.Bucket, "bare/"+strconv.Itoa(n), struct{ io.Reader }{r}, int64(size), minio.PutObjectOptions{}); err != nil {
				b.Fatal(err)
			}
		})
		run("get", func(b *testing.B) {
			_, r, err := s.Open(b.Context(), last.Digest, blob.Part{})
			read(b, r, err)
		})
		run("bare get", func(b *testing.B) {
			r, err := raw.GetObject(b.Context(), cfg.Bucket, "bare/"+strconv.Itoa(n), minio.GetObjectOptions{})
			read(b, r, err)
		})
		run("touch", func(b *testing.B) {
			if _, err := s.Touch(b.Context(), last.Digest); err != nil {
				b.Fatal(err)
			}
		})
	}
}

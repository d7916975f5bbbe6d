package s3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
	"testing/iotest"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	"calotype/services/storage/internal/s3"
	"calotype/test/servers"
)

const part = 5 << 20

func TestStoreTakesLargeBlobs(t *testing.T) { largeBlobs(t, configOf(servers.NewS3(t))) }

func same(t *testing.T, s *s3.Store, b []byte) {
	t.Helper()
	_, r, err := s.Open(t.Context(), blobtest.DigestOf(b), blob.Part{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, b) {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(b), err)
	}
}

// largeBlobs checks what goes in parts: with a promised digest under its own name at once, without one by way of a temporary.
func largeBlobs(t *testing.T, cfg s3.Config) {
	subject := subject(t, cfg)
	s, raw := subject.Store.(*s3.Store), behind(t, cfg)
	none := func(t *testing.T) {
		t.Helper()
		eventually(t, "nothing is left behind", func() bool { return len(leftovers(t, raw, cfg.Bucket)) == 0 })
	}
	for i, size := range []int{part, part + 1, 2*part + 12345} {
		b := blobtest.Content(uint64(i), size)
		for _, want := range []blob.Want{{}, {Digest: blobtest.DigestOf(b), Size: int64(size)}} {
			if err := s.Delete(t.Context(), blobtest.DigestOf(b), time.Time{}); err != nil {
				t.Fatal(err)
			}
			for _, outcome := range []blob.Outcome{blob.Stored, blob.Existed} {
				info, got, err := s.Put(t.Context(), iotest.HalfReader(bytes.NewReader(b)), want)
				if err != nil || got != outcome || info.Size != int64(size) {
					t.Fatalf("putting %d bytes, promised %v: %v, %+v, %v", size, want.Size > 0, got, info, err)
				}
				if stat, err := s.Stat(t.Context(), info.Digest); err != nil || stat != info {
					t.Fatalf("Put said %+v, Stat says %+v, %v", info, stat, err)
				}
				same(t, s, b)
				none(t)
			}
			subject.Damage(t, blobtest.DigestOf(b), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
			if _, got, err := s.Put(t.Context(), bytes.NewReader(b), want); err != nil || got != blob.Healed {
				t.Fatalf("putting %d bytes where they were damaged: %v, %v", size, got, err)
			}
			same(t, s, b)
			none(t)
		}
	}
	b := blobtest.Content(100, 3*part+7)
	gone := func(t *testing.T) {
		t.Helper()
		if _, err := s.Stat(t.Context(), blobtest.DigestOf(b)); err == nil || !fault.Is(err, fault.NotFound) {
			t.Fatalf("it is there: %v", err)
		}
		none(t)
	}
	t.Run("broken promise", func(t *testing.T) {
		_, _, err := s.Put(t.Context(), bytes.NewReader(b[1:]), blob.Want{Digest: blobtest.DigestOf(b)})
		if fault.ReasonOf(err) != "DIGEST_MISMATCH" {
			t.Fatalf("got %v", err)
		}
		gone(t)
	})
	t.Run("broken source", func(t *testing.T) {
		broken := errors.New("the source broke")
		for _, n := range []int64{part + 1, 3 * part, int64(len(b))} {
			_, _, err := s.Put(t.Context(), io.MultiReader(io.LimitReader(bytes.NewReader(b), n), iotest.ErrReader(broken)), blob.Want{Digest: blobtest.DigestOf(b)})
			if !errors.Is(err, broken) {
				t.Fatalf("after %d bytes: %v", n, err)
			}
			gone(t)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		leave := readerFunc(func([]byte) (int, error) { cancel(); return 0, ctx.Err() })
		_, _, err := s.Put(ctx, io.MultiReader(bytes.NewReader(b[:2*part+1]), leave), blob.Want{})
		if err == nil || !fault.Is(err, fault.Canceled) {
			t.Fatalf("got %v", err)
		}
		gone(t)
	})
	t.Run("equal puts at once", func(t *testing.T) {
		var g errgroup.Group
		for i := range 4 {
			g.Go(func() error {
				want := blob.Want{}
				if i%2 == 0 {
					want.Digest = blobtest.DigestOf(b)
				}
				_, _, err := s.Put(t.Context(), bytes.NewReader(b), want)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		same(t, s, b)
		none(t)
	})
	t.Run("copied in parts", func(t *testing.T) {
		if _, err := raw.PutObject(t.Context(), cfg.Bucket, "tmp/x", bytes.NewReader(b), int64(len(b)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), blobtest.DigestOf(b), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := s.CopyInParts(t.Context(), "tmp/x", blobtest.DigestOf(b), int64(len(b)), part+1); err != nil {
			t.Fatal(err)
		}
		same(t, s, b)
		if err := raw.RemoveObject(t.Context(), cfg.Bucket, "tmp/x", minio.RemoveObjectOptions{}); err != nil {
			t.Fatal(err)
		}
		same(t, s, b)
		none(t)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestStoreRefusesWhatIsDamagedOnTheWay(t *testing.T) {
	damagedOnTheWay(t, configOf(servers.NewS3(t)))
}

// damagedOnTheWay has a bit flipped in bodies between the store and the object store: no such blob may come to be.
func damagedOnTheWay(t *testing.T, cfg s3.Config) {
	raw := behind(t, cfg)
	t.Cleanup(func() { removeBucket(t, raw, cfg.Bucket) })
	to, err := url.Parse(cfg.Endpoints[0])
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // it is signed
		if r.In.Method == http.MethodPut && r.In.ContentLength > 1000 {
			r.Out.Body = &flipped{ReadCloser: r.In.Body}
		}
	}}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: time.Minute}
	cfg.Endpoints = []string{"http://" + serve(t, server)}
	s := open(t, cfg)
	for _, size := range []int{1001, 2*part + 1} {
		b := blobtest.Content(1, size)
		if info, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{}); err == nil {
			t.Errorf("%d bytes, damaged on the way, were taken: %+v", size, info)
		}
		if _, err := s.Stat(t.Context(), blobtest.DigestOf(b)); err == nil || !fault.Is(err, fault.NotFound) {
			t.Errorf("%d bytes are there: %v", size, err)
		}
	}
	eventually(t, "nothing is left behind", func() bool { return len(leftovers(t, raw, cfg.Bucket)) == 0 })
}

type flipped struct {
	io.ReadCloser
	done bool
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	if n > 0 && !f.done {
		p[n/2] ^= 1
		f.done = true
	}
	return n, err
}

package s3_test

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	"calotype/services/storage/internal/s3"
	"calotype/test/servers"
)

func serve(t *testing.T, server *http.Server) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestStoreIsSwept(t *testing.T) { sweeps(t, configOf(servers.NewS3(t))) }

// sweeps leaves what a process that died in the middle leaves, and more that is to stay.
func sweeps(t *testing.T, cfg s3.Config) {
	subject := subject(t, cfg)
	s, raw := subject.Store.(*s3.Store), minio.Core{Client: behind(t, cfg)}
	b := blobtest.Content(1, 1000)
	kept, _, err := s.Put(t.Context(), bytes.NewReader(b), blob.Want{})
	if err != nil {
		t.Fatal(err)
	}
	orphan := "uses/" + blobtest.DigestOf(nil).String()
	for _, key := range []string{"tmp/a", orphan} {
		if _, err := raw.PutObject(t.Context(), cfg.Bucket, key, bytes.NewReader(b), int64(len(b)), "", "", minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"tmp/b", "blobs/" + blobtest.DigestOf(nil).String()} {
		if _, err := raw.NewMultipartUpload(t.Context(), cfg.Bucket, key, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, raw.Client, cfg.Bucket); len(left) != 3 {
		t.Fatalf("what is young was swept: only %v are left", left)
	}
	eventually(t, "it is old", func() bool { // the store tells whole seconds
		if err := s.SweepOlder(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		_, err := raw.StatObject(t.Context(), cfg.Bucket, orphan, minio.StatObjectOptions{})
		return len(leftovers(t, raw.Client, cfg.Bucket)) == 0 && minio.ToErrorResponse(err).Code == minio.NoSuchKey
	})
	if stat, err := s.Stat(t.Context(), kept.Digest); err != nil || stat != kept {
		t.Errorf("the blob changed to %+v, %v from %+v", stat, err, kept)
	}
}

func TestStoreTellsWhatIsWrong(t *testing.T) { wrongSettings(t, configOf(servers.NewS3(t))) }

func wrongSettings(t *testing.T, cfg s3.Config) {
	for name, c := range map[string]struct {
		change func(*s3.Config)
		says   string
	}{
		"no bucket":    {func(c *s3.Config) { c.CreateBucket = false }, "no bucket " + cfg.Bucket},
		"wrong key":    {func(c *s3.Config) { c.AccessKey = "somebody" }, "refuses the storage's key"},
		"wrong secret": {func(c *s3.Config) { c.SecretKey = config.Secret("wrong") }, "refuses the storage's key"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			c.change(&cfg)
			s := open(t, cfg)
			_, stat := s.Stat(t.Context(), blob.Digest{1})
			_, _, put := s.Put(t.Context(), strings.NewReader("x"), blob.Want{})
			for _, err := range []error{stat, put, s.Usable(t.Context())} {
				f := fault.As(err)
				if f == nil || f.Kind != fault.Unavailable || f.Reason != "STORAGE_REFUSED" || f.RetryAfter == 0 || !strings.Contains(f.Message, c.says) {
					t.Errorf("got %v, want it to say %q", err, c.says)
				}
			}
			if err := s.Reachable(t.Context()); err != nil {
				t.Errorf("it answers, and counts as away: %v", err)
			}
		})
	}
}

func TestBucketThatGoesIsToldOf(t *testing.T) {
	cfg := configOf(servers.NewS3(t))
	s, raw := open(t, cfg), behind(t, cfg)
	if err := s.Usable(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := raw.RemoveBucket(t.Context(), cfg.Bucket); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context(), blob.Digest{}, 10); fault.ReasonOf(err) != "STORAGE_REFUSED" {
		t.Errorf("a list without the bucket gave %v", err)
	}
	if _, _, err := s.Put(t.Context(), strings.NewReader("x"), blob.Want{}); err != nil { // and makes it again
		t.Error(err)
	}
}

func TestStoreAtTwoDoors(t *testing.T) {
	server := servers.NewS3(t)
	cfg := configOf(server)
	cfg.Endpoints = append(cfg.Endpoints, server.Beside(t).Endpoint)
	besideEachOther(t, cfg)
}

// besideEachOther lets two processes put the same, each through all doors.
func besideEachOther(t *testing.T, cfg s3.Config) {
	first := subject(t, cfg)
	second := open(t, cfg)
	for i := range 10 {
		b := blobtest.Content(uint64(i), 100_000)
		outcomes := make([]blob.Outcome, 8)
		var g errgroup.Group
		for j := range outcomes {
			g.Go(func() (err error) {
				store := []blob.Store{first.Store, second}[j%2]
				_, outcomes[j], err = store.Put(t.Context(), bytes.NewReader(b), blob.Want{})
				return err
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		stored := 0
		for _, o := range outcomes {
			if o == blob.Stored {
				stored++
			}
		}
		if stored != 1 {
			t.Errorf("%d of %d equal puts stored it: %v", stored, len(outcomes), outcomes)
		}
	}
}

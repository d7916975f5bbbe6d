package s3_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/config"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	"calotype/services/storage/internal/s3"
	"calotype/test/servers"
)

// configFor is a store of its own at an object store: a fresh bucket.
func configFor(accessKey, secretKey string, endpoints ...string) s3.Config {
	cfg := s3.DefaultConfig()
	cfg.Endpoints, cfg.AccessKey, cfg.SecretKey = endpoints, config.Secret(accessKey), config.Secret(secretKey)
	cfg.Bucket = "test-" + uuid.NewString()
	cfg.PartSize = 5 * config.MiB
	cfg.ConnectTimeout, cfg.Timeout = 10*time.Second, time.Minute // a busy machine is slow, not away
	return cfg
}

func configOf(server *servers.S3) s3.Config {
	return configFor(server.AccessKey, server.SecretKey, server.Endpoint)
}

func quiet(t testing.TB) *slog.Logger {
	if testing.Verbose() && os.Getenv("TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return slog.New(slog.DiscardHandler)
}

func open(t testing.TB, cfg s3.Config) *s3.Store {
	t.Helper()
	s, err := s3.Open(cfg, quiet(t), s3.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// behind is the object store itself, without Calotype.
func behind(t testing.TB, cfg s3.Config) *minio.Client {
	t.Helper()
	scheme, host, _ := strings.Cut(cfg.Endpoints[0], "://")
	c, err := minio.New(host, &minio.Options{
		Creds:  credentials.NewStaticV4(cfg.AccessKey.Reveal(), cfg.SecretKey.Reveal(), ""),
		Secure: scheme == "https", Region: cfg.Region, BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// subject is a store on a bucket of its own, which goes with the test.
func subject(t *testing.T, cfg s3.Config) blobtest.Subject {
	t.Helper()
	raw := behind(t, cfg)
	t.Cleanup(func() { removeBucket(t, raw, cfg.Bucket) })
	return blobtest.Subject{
		Store: open(t, cfg),
		Damage: func(t *testing.T, d blob.Digest, change func([]byte) []byte) {
			o, err := raw.GetObject(t.Context(), cfg.Bucket, "blobs/"+d.String(), minio.GetObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(o)
			if err != nil {
				t.Fatal(err)
			}
			b = change(b)
			if _, err := raw.PutObject(t.Context(), cfg.Bucket, "blobs/"+d.String(), bytes.NewReader(b), int64(len(b)), minio.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		Leftovers: func(t *testing.T) []string { return leftovers(t, raw, cfg.Bucket) },
	}
}

func leftovers(t testing.TB, raw *minio.Client, bucket string) (found []string) {
	t.Helper()
	for u := range raw.ListIncompleteUploads(t.Context(), bucket, "", true) {
		if u.Err != nil {
			t.Fatal(u.Err)
		}
		found = append(found, u.Key+" "+u.UploadID)
	}
	for o := range raw.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Prefix: "tmp/", Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		found = append(found, o.Key)
	}
	return found
}

func removeBucket(t testing.TB, raw *minio.Client, bucket string) {
	ctx := t.Context()
	if ctx.Err() != nil {
		ctx = contextOf(t)
	}
	all := raw.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true})
	for e := range raw.RemoveObjects(ctx, bucket, all, minio.RemoveObjectsOptions{}) {
		t.Error(e.Err)
	}
	if err := raw.RemoveBucket(ctx, bucket); err != nil && minio.ToErrorResponse(err).Code != minio.NoSuchBucket {
		t.Error(err)
	}
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	again, late := time.NewTicker(2*time.Millisecond), time.After(15*time.Second)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

package app_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"calotype/kit/boot"
	"calotype/proto"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/storage/app"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
)

// running is the real service in this process, on files of its own.
type running struct {
	*app.App
	host *boot.Host
	root string
	stop func() // leaves in order, and waits for it
}

func start(t testing.TB) running {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Log.Level = "error"
	cfg.RPC.Listen, cfg.Ops.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Health.Interval = 10 * time.Millisecond
	cfg.Storage.Root = t.TempDir()
	cfg.Storage.MinFree = 0
	host, err := boot.NewHost(proto.Storage, cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stopped := false
	r := running{App: a, host: host, root: cfg.Storage.Root}
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		leave()
		if err := errors.Join(<-done, host.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	select {
	case <-a.Ready():
	case err := <-done:
		t.Fatalf("ended before it was ready: %v", err)
	}
	return r
}

func (r running) subject(store blob.Store) blobtest.Subject {
	return blobtest.Subject{
		Store: store,
		Blind: true,
		Damage: func(t *testing.T, d blob.Digest, change func([]byte) []byte) {
			name := filepath.Join(r.root, "blobs", d.String()[:2], d.String())
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, change(b), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		Leftovers: func(t *testing.T) []string { return temporaries(t, r.root) },
	}
}

func temporaries(t *testing.T, root string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, "tmp"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The service as go-micro's callers see it: found in the registry, through the client's wrappers and balancing.
func micro(r running) *blobtest.Remote {
	c := storagev1.NewStorageService(proto.Storage, r.host.Client())
	return &blobtest.Remote{
		PutFunc: func(ctx context.Context) (blobtest.PutStream, error) { return c.Put(ctx) },
		GetFunc: func(ctx context.Context, in *storagev1.GetRequest) (blobtest.GetStream, error) { return c.Get(ctx, in) },
		StatFunc: func(ctx context.Context, in *storagev1.StatRequest) (*storagev1.Blob, error) {
			return c.Stat(ctx, in)
		},
		TouchFunc: func(ctx context.Context, in *storagev1.TouchRequest) (*storagev1.Blob, error) {
			return c.Touch(ctx, in)
		},
		DeleteFunc: func(ctx context.Context, in *storagev1.DeleteRequest) (*storagev1.DeleteResponse, error) {
			return c.Delete(ctx, in)
		},
		ListFunc: func(ctx context.Context, in *storagev1.ListRequest) (*storagev1.ListResponse, error) {
			return c.List(ctx, in)
		},
	}
}

func dial(t *testing.T, r running) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(r.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// The service as any gRPC client sees it.
func plain(t *testing.T, r running) *blobtest.Remote {
	c := storagev1.NewStorageClient(dial(t, r))
	return &blobtest.Remote{
		PutFunc: func(ctx context.Context) (blobtest.PutStream, error) { return c.Put(ctx) },
		GetFunc: func(ctx context.Context, in *storagev1.GetRequest) (blobtest.GetStream, error) { return c.Get(ctx, in) },
		StatFunc: func(ctx context.Context, in *storagev1.StatRequest) (*storagev1.Blob, error) {
			return c.Stat(ctx, in)
		},
		TouchFunc: func(ctx context.Context, in *storagev1.TouchRequest) (*storagev1.Blob, error) {
			return c.Touch(ctx, in)
		},
		DeleteFunc: func(ctx context.Context, in *storagev1.DeleteRequest) (*storagev1.DeleteResponse, error) {
			return c.Delete(ctx, in)
		},
		ListFunc: func(ctx context.Context, in *storagev1.ListRequest) (*storagev1.ListResponse, error) {
			return c.List(ctx, in)
		},
	}
}

func TestServiceForGoMicro(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Subject { r := start(t); return r.subject(micro(r)) })
}

func TestServiceForPlainGRPC(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Subject { r := start(t); return r.subject(plain(t, r)) })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	again, late := time.NewTicker(2*time.Millisecond), time.After(10*time.Second)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestReadinessFollowsTheDisk(t *testing.T) {
	r := start(t)
	health := healthpb.NewHealthClient(dial(t, r))
	state := func() (http, grpc bool) {
		rsp, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "storage.v1.Storage"})
		if err != nil {
			t.Fatal(err)
		}
		return ready(t, r), rsp.GetStatus() == healthpb.HealthCheckResponse_SERVING
	}
	is := func(want bool) func() bool {
		return func() bool { http, grpc := state(); return http == want && grpc == want }
	}
	eventually(t, "it is ready", is(true))
	tmp, away := filepath.Join(r.root, "tmp"), filepath.Join(r.root, "away")
	if err := os.Rename(tmp, away); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is not ready without a folder to write to", is(false))
	if err := os.Rename(away, tmp); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready again", is(true))
}

func ready(t *testing.T, r running) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.host.OpsAddr()+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	rsp.Body.Close()
	return rsp.StatusCode == http.StatusOK
}

// Leaving finishes what is running: an upload that began before is stored and acknowledged.
func TestLeavingFinishesAnUpload(t *testing.T) {
	r := start(t)
	stream, err := storagev1.NewStorageClient(dial(t, r)).Put(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := blobtest.Content(1, 1<<20)
	for _, m := range []*storagev1.PutRequest{
		{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{}}}, {Part: &storagev1.PutRequest_Chunk{Chunk: b[:1<<19]}},
	} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the upload runs", func() bool { return len(temporaries(t, r.root)) == 1 })
	left := make(chan struct{})
	go func() { defer close(left); r.stop() }()
	eventually(t, "it is leaving", func() bool { return !r.host.Health.Ready() })
	if err := stream.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: b[1<<19:]}}); err != nil {
		t.Fatal(err)
	}
	rsp, err := stream.CloseAndRecv()
	if err != nil || rsp.GetBlob().GetDigest() != blobtest.DigestOf(b).String() {
		t.Fatalf("the upload came to %v, %v", rsp, err)
	}
	<-left
	if _, err := os.Stat(filepath.Join(r.root, "blobs", rsp.GetBlob().GetDigest()[:2], rsp.GetBlob().GetDigest())); err != nil {
		t.Error(err)
	}
}

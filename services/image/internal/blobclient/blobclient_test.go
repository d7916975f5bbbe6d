package blobclient_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"calotype/kit/boot"
	"calotype/kit/fault"
	"calotype/proto"
	"calotype/services/image/internal/blobclient"
	"calotype/services/image/internal/job"
	storage "calotype/services/storage/app"
)

// start runs a real storage service in this process and gives a client of it, and its folder.
func start(t *testing.T) (*blobclient.Store, string) {
	t.Helper()
	cfg := storage.DefaultConfig()
	cfg.Log.Level = "error"
	cfg.RPC.Listen, cfg.Ops.Listen = "127.0.0.1:0", ""
	cfg.Storage.Root = t.TempDir()
	cfg.Storage.MinFree = 0
	host, err := boot.NewHost(proto.Storage, cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := storage.New(cfg, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		leave()
		if err := errors.Join(<-done, host.Close()); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-a.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	return blobclient.New(host.Client()), cfg.Storage.Root
}

func digest(data []byte) job.Digest {
	sum := sha256.Sum256(data)
	return job.Digest(hex.EncodeToString(sum[:]))
}

func TestWhatIsPutComesBack(t *testing.T) {
	s, _ := start(t)
	for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1, 5<<20 + 12345} {
		data := bytes.Repeat([]byte("calotype"), size/8+1)[:size]
		d := digest(data)
		for range 2 { // once more changes nothing
			if err := s.Put(t.Context(), d, data); err != nil {
				t.Fatalf("putting %d bytes: %v", size, err)
			}
		}
		got, err := s.Open(t.Context(), d, int64(size))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back as %d, %v", size, len(got), err)
		}
		if size == 0 {
			continue
		}
		if _, err := s.Open(t.Context(), d, int64(size-1)); fault.ReasonOf(err) != "IMAGE_TOO_LARGE" || !fault.Is(err, fault.Invalid) {
			t.Errorf("%d bytes over the limit: %v", size, err)
		}
	}
}

func TestWhatIsNotThereOrWrong(t *testing.T) {
	s, root := start(t)
	if _, err := s.Open(t.Context(), digest([]byte("nothing")), 100); err == nil || !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v", err)
	}
	if err := s.Put(t.Context(), digest([]byte("one")), []byte("another")); err == nil || fault.ReasonOf(err) != "DIGEST_MISMATCH" {
		t.Errorf("bytes under another's digest: %v", err)
	}
	data := bytes.Repeat([]byte("x"), 100_000)
	d := digest(data)
	if err := s.Put(t.Context(), d, data); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root, "blobs", string(d)[:2], string(d))
	data[500] = 'y'
	if err := errors.Join(os.Remove(name), os.WriteFile(name, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open(t.Context(), d, 1<<20); err == nil || !fault.Is(err, fault.Internal) {
		t.Errorf("a damaged blob came back as %d bytes, %v", len(got), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, d, data); err == nil || !fault.Is(err, fault.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

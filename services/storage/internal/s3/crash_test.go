package s3_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	"calotype/services/storage/internal/s3"
	"calotype/test/servers"
)

const crashAt = "TEST_CRASH_AT" // makes the test binary the victim: endpoint, bucket, access key and secret, by blanks

func TestMain(m *testing.M) {
	if at := os.Getenv(crashAt); at != "" {
		fmt.Fprintln(os.Stderr, victim(at))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim puts a blob, tells it, and begins two more that never end: one under its own name, one under a temporary one.
func victim(at string) error {
	where := strings.Fields(at)
	cfg := configFor(where[2], where[3], where[0])
	cfg.Bucket = where[1]
	s, err := s3.Open(cfg, slog.New(slog.DiscardHandler), s3.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		return err
	}
	if _, _, err := s.Put(context.Background(), bytes.NewReader(blobtest.Content(1, part+1)), blob.Want{}); err != nil {
		return err
	}
	done := make(chan error)
	for seed, want := range []blob.Want{{}, {Digest: blobtest.DigestOf(blobtest.Content(1, 3*part))}} {
		go func() {
			r := io.MultiReader(bytes.NewReader(blobtest.Content(uint64(seed), 2*part+1)), readerFunc(func([]byte) (int, error) {
				fmt.Println("sent")
				select {}
			}))
			_, _, err := s.Put(context.Background(), r, want)
			done <- err
		}()
	}
	return <-done
}

// A process that dies in the middle of uploads leaves what it acknowledged, nothing that can be seen beside, and rubbish that is swept.
func TestCrashInTheMiddleOfUploads(t *testing.T) {
	server := servers.NewS3(t)
	cfg := configOf(server)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashAt+"="+strings.Join([]string{server.Endpoint, cfg.Bucket, server.AccessKey, server.SecretKey}, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range 2 { // one for each upload
		if !lines.Scan() {
			t.Fatal("the victim ended too early")
		}
	}
	raw := behind(t, cfg)
	eventually(t, "both uploads are on their way", func() bool { return len(leftovers(t, raw, cfg.Bucket)) == 2 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	s := open(t, cfg)
	all, err := s.List(t.Context(), blob.Digest{}, 10)
	if kept := blobtest.Content(1, part+1); err != nil || len(all) != 1 || all[0].Digest != blobtest.DigestOf(kept) {
		t.Fatalf("%v, %v are there, want the one that was acknowledged", all, err)
	} else {
		same(t, s, kept)
	}
	eventually(t, "it is old", func() bool { // the store tells whole seconds
		if err := s.SweepOlder(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		return len(leftovers(t, raw, cfg.Bucket)) == 0
	})
}

// A blob of 200 MiB goes through the memory that is allowed, and uploads that find none are told to come again.
func TestMemoryIsBounded(t *testing.T) {
	cfg := configOf(servers.NewS3(t))
	cfg.Memory = 4 * cfg.PartSize
	s := open(t, cfg)
	large := &pattern{left: 200 << 20, block: blobtest.Content(1, 1<<20)}
	w := watchHeap()
	info, _, err := s.Put(t.Context(), large, blob.Want{})
	if err != nil {
		t.Fatal(err)
	}
	grown, most := w.stop(), 2*int64(cfg.Memory)+16<<20 // half of a heap can be garbage
	t.Logf("200 MiB with %v of memory: the heap grew by %d MiB", cfg.Memory, grown>>20)
	if grown > most {
		t.Errorf("the heap grew by %d MiB, more than %d", grown>>20, most>>20)
	}
	if held := s.Held(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
	_, r, err := s.Open(t.Context(), info.Digest, blob.Part{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, r); err != nil || n != 200<<20 {
		t.Errorf("%d bytes came back, %v", n, err)
	}

	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 4)
	for i := range cap(done) {
		go func() {
			slow := readerFunc(func([]byte) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			_, _, err := s.Put(ctx, io.MultiReader(bytes.NewReader(blobtest.Content(uint64(i), part)), slow), blob.Want{})
			done <- err
		}()
	}
	eventually(t, "the memory is full", func() bool { return s.Held() == int64(cfg.Memory) })
	s.WaitForMemory(20 * time.Millisecond)
	wantBusy(t, s)
	leave()
	for range cap(done) {
		<-done
	}
	stored(t, s, 7, 100)
}

func wantBusy(t *testing.T, s *s3.Store) {
	t.Helper()
	_, _, err := s.Put(t.Context(), strings.NewReader("x"), blob.Want{})
	if reason := reasonOf(err); reason != "STORAGE_BUSY" {
		t.Errorf("a put without memory gave %v", err)
	}
}

// pattern gives many bytes and holds few.
type pattern struct {
	left  int
	block []byte
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.left)], p.block)
	p.left -= n
	return n, nil
}

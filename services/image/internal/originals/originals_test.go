package originals

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// storage is where originals come from in a test.
type storage struct {
	mu    sync.Mutex
	blobs map[job.Digest][]byte
	reads atomic.Int64
	gate  func(context.Context) error
}

func (s *storage) keep(size int) job.Digest {
	data := make([]byte, size)
	copy(data, time.Now().String())
	sum := sha256.Sum256(data)
	d := job.Digest(hex.EncodeToString(sum[:]))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blobs == nil {
		s.blobs = map[job.Digest][]byte{}
	}
	s.blobs[d] = data
	return d
}

func (s *storage) Open(ctx context.Context, d job.Digest, limit int64) ([]byte, error) {
	s.reads.Add(1)
	if s.gate != nil {
		if err := s.gate(ctx); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.blobs[d]
	switch {
	case !ok:
		return nil, fault.New(fault.NotFound, "", "no blob %s", d)
	case int64(len(data)) > limit:
		return nil, fault.New(fault.Invalid, "IMAGE_TOO_LARGE", "%d bytes", len(data))
	}
	return data, nil
}

// start runs a Store until the test, or stop, ends it.
func start(t *testing.T, from *storage, change func(*Config)) (s *Store, stop func()) {
	t.Helper()
	cfg := DefaultConfig()
	change(&cfg)
	s, err := New(cfg, from, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func (s *Store) came(from string) int {
	return int(testutil.ToFloat64(s.metrics.opened.WithLabelValues(from)))
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.Tick(time.Millisecond); !ok(); <-tick {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func open(t *testing.T, s *Store, d job.Digest) {
	t.Helper()
	data, err := s.Open(t.Context(), d, 1e6)
	sum := sha256.Sum256(data)
	if err != nil || hex.EncodeToString(sum[:]) != string(d) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
}

func TestMemory(t *testing.T) {
	var from storage
	s, _ := start(t, &from, func(c *Config) { c.Memory = 4000 })
	d, large := from.keep(1000), from.keep(1001)
	for range 3 {
		open(t, s, d)
		open(t, s, large) // more than a quarter
	}
	if s.came(fromStorage) != 4 || s.came(fromMemory) != 2 {
		t.Errorf("%d from storage, %d from memory", s.came(fromStorage), s.came(fromMemory))
	}
	if _, err := s.Open(t.Context(), d, 999); fault.ReasonOf(err) != "IMAGE_TOO_LARGE" {
		t.Errorf("beyond the limit: %v", err)
	}
	for range 4 {
		open(t, s, from.keep(1000))
	}
	if _, bytes := s.memory.Size(); bytes != 4000 {
		t.Errorf("%d bytes are kept", bytes)
	}
	if got := testutil.ToFloat64(s.metrics.dropped.WithLabelValues(fromMemory, "space")); got != 1 {
		t.Errorf("%v dropped", got)
	}
}

// Whoever asks meanwhile shares the fetch; a caller who leaves does not fail the others, and failures are not kept.
func TestOneFetchForAll(t *testing.T) {
	let := make(chan struct{})
	var from storage
	from.gate = func(ctx context.Context) error {
		select {
		case <-let:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s, _ := start(t, &from, func(*Config) {})
	d := from.keep(100)
	w := wish{d, 1e6}
	ctx, leave := context.WithCancel(t.Context())
	var first, others sync.WaitGroup
	first.Go(func() {
		if _, err := s.Open(ctx, d, 1e6); !errors.Is(err, context.Canceled) {
			t.Errorf("the first got %v", err)
		}
	})
	eventually(t, "the first waits", func() bool { return s.fetches.Waiting(w) == 1 })
	for range 50 {
		others.Go(func() { open(t, s, d) })
	}
	eventually(t, "all wait", func() bool { return s.fetches.Waiting(w) == 51 })
	leave()
	first.Wait()
	close(let)
	others.Wait()
	if from.reads.Load() != 1 || s.came(fromAnother) != 50 {
		t.Errorf("%d reads, %d shared", from.reads.Load(), s.came(fromAnother))
	}
	missing := job.Digest(hex.EncodeToString(make([]byte, 32)))
	for range 2 {
		if _, err := s.Open(t.Context(), missing, 1e6); !fault.Is(err, fault.NotFound) {
			t.Errorf("got %v", err)
		}
	}
	if from.reads.Load() != 3 {
		t.Errorf("a failure was kept: %d reads", from.reads.Load())
	}
}

func TestDisk(t *testing.T) {
	var from storage
	folder := filepath.Join(t.TempDir(), "own")
	onDisk := func(c *Config) { c.Memory, c.Folder, c.Disk = 0, folder, 4000 }
	s, stop := start(t, &from, onDisk)
	d := from.keep(1000)
	open(t, s, d)
	eventually(t, "it is written", func() bool { return s.disk.index.Has(d) })
	open(t, s, d)
	if s.came(fromStorage) != 1 || s.came(fromDisk) != 1 {
		t.Errorf("%d from storage, %d from disk", s.came(fromStorage), s.came(fromDisk))
	}
	stop()

	// What a crash left half done goes, what is not ours stays, and what is in order is used again.
	half, strange := filepath.Join(folder, unfinished+"123"), filepath.Join(folder, "README")
	for _, name := range []string{half, strange} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, stop = start(t, &from, onDisk)
	open(t, s, d)
	if s.came(fromDisk) != 1 {
		t.Error("it was fetched again after a restart")
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("half a file is there still: %v", err)
	}
	if _, err := os.Stat(strange); err != nil {
		t.Error(err)
	}

	// A damaged file is not used, and fetched anew.
	if err := os.WriteFile(s.disk.path(d), make([]byte, 500), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, s, d)
	if s.came(fromStorage) != 1 || testutil.ToFloat64(s.metrics.dropped.WithLabelValues(fromDisk, broken)) != 1 {
		t.Error("a damaged file was used")
	}
	eventually(t, "it is written again", func() bool { return s.disk.index.Has(d) })

	// The bound holds, on disk as in the books.
	for range 5 {
		next := from.keep(1000)
		open(t, s, next)
		eventually(t, "it is written", func() bool { return s.disk.index.Has(next) })
	}
	if files, _ := os.ReadDir(folder); len(files) != 4+1 {
		t.Errorf("%d files", len(files))
	}
	if _, err := os.Stat(s.disk.path(d)); !os.IsNotExist(err) {
		t.Errorf("the oldest is there still: %v", err)
	}
	stop()
}

// What nobody uses is gone in time, also when the node was away meanwhile.
func TestIdle(t *testing.T) {
	var from storage
	folder := t.TempDir()
	s, stop := start(t, &from, func(c *Config) { c.Folder, c.Idle, c.DiskIdle = folder, 50*time.Millisecond, 100*time.Millisecond })
	d := from.keep(1000)
	open(t, s, d)
	eventually(t, "it is written", func() bool { return s.disk.index.Has(d) })
	eventually(t, "it is gone from memory", func() bool { return !s.memory.Has(d) })
	eventually(t, "its file is gone", func() bool { _, err := os.Stat(s.disk.path(d)); return os.IsNotExist(err) })
	stop()
	old := filepath.Join(folder, string(d))
	if err := os.WriteFile(old, from.blobs[d], 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	s, _ = start(t, &from, func(c *Config) { c.Folder, c.DiskIdle = folder, time.Minute })
	if _, err := os.Stat(old); !os.IsNotExist(err) || s.disk.index.Has(d) {
		t.Errorf("it came back: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if f := DefaultConfig().Validate(); len(f) > 0 {
		t.Errorf("the defaults: %v", f)
	}
	if f := (Config{Memory: -1}).Validate(); len(f) != 4 {
		t.Errorf("found %v", f)
	}
	if _, err := New(Config{Folder: filepath.Join(os.DevNull, "x")}, nil, prometheus.NewRegistry(), nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("a folder that cannot be: %v", err)
	}
}

package app_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"calotype/proto"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/storage/internal/blobtest"
	"calotype/test/race"
)

const (
	large   = 2 << 30
	block   = 1 << 20
	allowed = 64 << 20
)

// stamp makes the n-th block of the large blob; no two are equal.
func stamp(b []byte, n int) { binary.LittleEndian.PutUint64(b, uint64(n)) }

// TestLargeBlobInFlatMemory puts 2 GiB through the real service and client, and back: service and client together, both in this
// process, may not grow by more than 64 MiB.
func TestLargeBlobInFlatMemory(t *testing.T) {
	if race.Without(t) {
		return
	}
	r := start(t)
	c := storagev1.NewStorageService(proto.Storage, r.host.Client())
	b := blobtest.Content(1, block)
	w := watchMemory()

	began := time.Now()
	up, err := c.Put(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{Size: large}}}); err != nil {
		t.Fatal(err)
	}
	chunk := &storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: b}}
	for n := range large / block {
		stamp(b, n)
		if err := up.Send(chunk); err != nil {
			t.Fatalf("after %d MiB: %v, %v", n, err, up.RecvMsg(&storagev1.PutResponse{}))
		}
	}
	if err := up.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var stored storagev1.PutResponse
	if err := up.RecvMsg(&stored); err != nil {
		t.Fatal(err)
	}
	put := time.Since(began)
	grownByPut := w.growth()

	began = time.Now()
	down, err := c.Get(t.Context(), &storagev1.GetRequest{Digest: stored.GetBlob().GetDigest()})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := down.Recv(); err != nil || first.GetBlob().GetSize() != large {
		t.Fatalf("the description is %v, %v", first, err)
	}
	var got int64
	for {
		m, err := down.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		for rest := m.GetChunk(); len(rest) > 0; {
			stamp(b, int(got/block))
			want := b[got%block:]
			n := min(len(rest), len(want))
			if !bytes.Equal(rest[:n], want[:n]) {
				t.Fatalf("other bytes came back in the %d bytes from %d", n, got)
			}
			rest, got = rest[n:], got+int64(n)
		}
	}
	if got != large {
		t.Errorf("%d bytes came back", got)
	}
	get := time.Since(began)
	grown := w.stop()
	t.Logf("put %v, get %v; grew by %v in the put, %v in all", put.Round(time.Millisecond), get.Round(time.Millisecond), grownByPut, grown)
	if grown.heap > allowed {
		t.Errorf("the Go runtime's memory grew by %d MiB", grown.heap>>20)
	}
	if grown.resident > allowed {
		t.Errorf("the process's resident memory grew by %d MiB", grown.resident>>20)
	}
}

// memory is what the process holds: what the Go runtime has of the system and not given back, and what the system counts as
// resident (0 where it does not tell).
type memory struct{ heap, resident int64 }

func (m memory) String() string {
	return strconv.FormatInt(m.heap>>20, 10) + " MiB (Go), " + strconv.FormatInt(m.resident>>20, 10) + " MiB (resident)"
}

func memoryNow() memory {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	m := memory{heap: int64(s[0].Value.Uint64() - s[1].Value.Uint64())}
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 {
			pages, _ := strconv.ParseInt(f[1], 10, 64)
			m.resident = pages * int64(os.Getpagesize())
		}
	}
	return m
}

// watch keeps the peaks.
type watch struct {
	mu          sync.Mutex
	start, peak memory
	end, ended  chan struct{}
}

func watchMemory() *watch {
	debug.FreeOSMemory()
	w := &watch{start: memoryNow(), end: make(chan struct{}), ended: make(chan struct{})}
	w.peak = w.start
	go func() {
		defer close(w.ended)
		every := time.NewTicker(2 * time.Millisecond)
		defer every.Stop()
		for {
			w.look()
			select {
			case <-w.end:
				return
			case <-every.C:
			}
		}
	}()
	return w
}

func (w *watch) look() {
	now := memoryNow()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peak = memory{max(w.peak.heap, now.heap), max(w.peak.resident, now.resident)}
}

func (w *watch) growth() memory {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	return memory{w.peak.heap - w.start.heap, w.peak.resident - w.start.resident}
}

func (w *watch) stop() memory {
	close(w.end)
	<-w.ended
	return w.growth()
}

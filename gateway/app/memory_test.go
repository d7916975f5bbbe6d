package app_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	storagev1 "calotype/proto/storage/v1"
	"calotype/test/race"
)

// TestMemory has large bodies pass through in chunks: the process, both ends of the calls included, grows by a few of them.
func TestMemory(t *testing.T) {
	if race.Without(t) {
		return
	}
	t.Run("ADownloadOf1GiB", aDownloadOf1GiB)
	t.Run("AnUploadOverGRPC", anUploadOverGRPC)
}

// aDownloadOf1GiB passes through in chunks: the process, both ends of the RPC included, grows by a few of them.
func aDownloadOf1GiB(t *testing.T) {
	const size = 1 << 30
	chunk := noise(1 << 20)
	s := newStage(t, func(set *setup) {
		set.storage = &store{onGet: func(_ context.Context, _ *storagev1.GetRequest, st storagev1.Storage_GetStream) error {
			for range size / len(chunk) {
				if err := st.Send(&storagev1.GetResponse{Part: &storagev1.GetResponse_Chunk{Chunk: chunk}}); err != nil {
					return err
				}
			}
			return nil
		}}
	})
	s.images.keep("img_g", "", []byte("x")).Size = size
	rsp, err := http.DefaultTransport.RoundTrip(s.request("GET", "/v1/images/img_g/original", nil))
	s.must(err)
	defer rsp.Body.Close()
	// What other tests have left would let the collector wait until as much again is garbage.
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	var base, peak, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&base)
	var got int64
	for {
		n, err := io.CopyN(io.Discard, rsp.Body, 32<<20)
		got += n
		runtime.ReadMemStats(&now)
		if now.HeapInuse > peak.HeapInuse {
			peak = now
		}
		if errors.Is(err, io.EOF) {
			break
		}
		s.must(err)
	}
	grown := int64(peak.HeapInuse) - int64(base.HeapInuse)
	t.Logf("%d bytes passed; the heap grew by %.1f MiB at most", got, float64(grown)/(1<<20))
	if got != size {
		t.Errorf("%d bytes of %d", got, size)
	}
	if grown > 48<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

func anUploadOverGRPC(t *testing.T) {
	s := newStage(t)
	client := storagev1.NewStorageClient(s.dial())
	put, err := client.Put(t.Context())
	s.must(err)
	var peak uint64
	done, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	s.must(put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{}}}))
	const chunks = 400 // of half a MiB
	chunk, sum := noise(512<<10), sha256.New()
	for i := range chunks {
		chunk[0] = byte(i)
		sum.Write(chunk)
		s.must(put.Send(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: chunk}}))
	}
	out, err := put.CloseAndRecv()
	close(done)
	<-sampled
	if err != nil || out.GetBlob().GetDigest() != hex.EncodeToString(sum.Sum(nil)) || out.GetBlob().GetSize() != chunks*512<<10 {
		t.Errorf("it is stored as %v, %v", out, err)
	}
	t.Logf("client, gateway and storage in one process held %d MiB at most", peak>>20)
	if peak > 120<<20 {
		t.Errorf("%d MiB were held for an upload of 200", peak>>20)
	}
	get, err := client.Get(t.Context(), &storagev1.GetRequest{Digest: out.GetBlob().GetDigest()})
	again := sha256.New()
	for err == nil {
		var m *storagev1.GetResponse
		if m, err = get.Recv(); err == nil {
			again.Write(m.GetChunk())
		}
	}
	if !errors.Is(err, io.EOF) || string(again.Sum(nil)) != string(sum.Sum(nil)) {
		t.Errorf("what came back differs: %v", err)
	}
}

package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"calotype/kit/fault"
	storagev1 "calotype/proto/storage/v1"
)

// A node that takes a file and then breaks off has another one asked, where the gateway still has the file: not when it was larger than
// a chunk, and not when the node gave a reason.
func TestAnUploadIsSentAgain(t *testing.T) {
	gone := status.Error(codes.Unavailable, "the connection broke")
	for name, c := range map[string]struct {
		size   int
		err    error
		calls  int
		status int
	}{
		"a file of one chunk": {200_000, gone, 2, http.StatusCreated},
		"a larger one":        {2 << 20, gone, 1, http.StatusServiceUnavailable},
		"a reason":            {200_000, fault.New(fault.Unavailable, "STORAGE_AWAY", "nobody is there"), 1, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			body := noise(c.size)
			calls := 0
			s := newStage(t, func(set *setup) {
				set.storage = &store{onPut: func(_ context.Context, st storagev1.Storage_PutStream) error {
					calls++
					var got bytes.Buffer
					for {
						m, err := st.Recv()
						if errors.Is(err, io.EOF) {
							break
						}
						if err != nil {
							return err
						}
						got.Write(m.GetChunk())
					}
					if !bytes.Equal(got.Bytes(), body) {
						t.Errorf("call %d brought %d bytes, not the file", calls, got.Len())
					}
					if calls == 1 {
						return c.err
					}
					sum := sha256.Sum256(got.Bytes())
					return st.SendMsg(&storagev1.PutResponse{Blob: &storagev1.Blob{Digest: hex.EncodeToString(sum[:]), Size: int64(got.Len())}})
				}}
			})
			rsp, err := http.DefaultTransport.RoundTrip(s.request("POST", "/v1/images", bytes.NewReader(body)))
			if err != nil {
				t.Fatal(err)
			}
			rsp.Body.Close()
			if rsp.StatusCode != c.status || calls != c.calls {
				t.Errorf("%d after %d calls, want %d after %d", rsp.StatusCode, calls, c.status, c.calls)
			}
		})
	}
}

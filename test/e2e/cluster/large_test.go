//go:build cluster

package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"testing"
	"time"

	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
)

const (
	large  = 200 << 20
	longer = 4 * time.Minute // to bring so much through, on a busy machine
)

// filler gives bytes that no compression makes smaller, the same for the same seed, without holding them.
type filler struct {
	state uint64
	left  int64
}

func (f *filler) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), f.left)]
	var word [8]byte
	for i := 0; i < len(p); i += 8 {
		f.state = f.state*6364136223846793005 + 1442695040888963407
		binary.LittleEndian.PutUint64(word[:], f.state^f.state>>29)
		copy(p[i:], word[:])
	}
	f.left -= int64(len(p))
	return len(p), nil
}

// pixel is three numbers of 16 bits.
const pixel = 6

// tiff is the head of a picture of width x height pixels, uncompressed in one strip, that follow it.
func tiff(width, height uint32) []byte {
	var b bytes.Buffer
	put := func(all ...any) {
		for _, v := range all {
			_ = binary.Write(&b, binary.LittleEndian, v) // to memory
		}
	}
	const short, long, entries = uint16(3), uint16(4), 10
	bits := uint32(8 + 2 + entries*12 + 4)
	put([]byte("II*\x00"), uint32(8), uint16(entries))
	for _, e := range []struct {
		tag, kind    uint16
		count, value uint32
	}{
		{256, long, 1, width}, {257, long, 1, height}, {258, short, 3, bits}, {259, short, 1, 1}, {262, short, 1, 2},
		{273, long, 1, bits + 6}, {277, short, 1, 3}, {278, long, 1, height}, {279, long, 1, width * height * pixel}, {284, short, 1, 1},
	} {
		put(e.tag, e.kind, e.count, e.value)
	}
	put(uint32(0), []uint16{16, 16, 16})
	return b.Bytes()
}

// TestLargeUpload brings a picture of 201 MiB through all hops, has it processed, and gets it back.
func TestLargeUpload(t *testing.T) {
	c := front(t)
	const width, height = 8000, 4400
	head := tiff(width, height)
	body := func() io.Reader {
		return io.MultiReader(bytes.NewReader(head), &filler{state: uint64(time.Now().YearDay()), left: width * height * pixel})
	}
	sum := sha256.New()
	size, err := io.Copy(sum, body())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(within(t, longer), http.MethodPost, c.Base+"/v1/images?variants=tiny:w_64,f_jpg", body())
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	began := time.Now()
	resp, err := c.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s, %v", resp.StatusCode, b, err)
	}
	made := &imagev1.CreateImageResponse{}
	read(t, answerOf(resp, b), http.StatusCreated, made)
	t.Logf("%d MiB acknowledged after %v", size>>20, time.Since(began).Round(time.Millisecond))
	if made.Image.Digest != hex.EncodeToString(sum.Sum(nil)) || made.Image.Width != width {
		t.Errorf("it is taken for %v", made.Image)
	}
	if job := ended(t, c, made.Job.Id); job.State != imagev1.Job_SUCCEEDED {
		t.Errorf("its job ended %v: %v", job.State, job.Failure)
	}
	if got := download(t, c.Base+"/v1/images/"+made.Image.Id+"/original"); got != made.Image.Digest {
		t.Errorf("it comes back as %s", got)
	}
}

// download reads an address without keeping its bytes, and gives their sha256.
func download(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, longer), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, resp.Body); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// TestLargeBlob puts 200 MiB by a gRPC stream and gets them by another.
func TestLargeBlob(t *testing.T) {
	storage := storagev1.NewStorageClient(conn(t))
	put, err := storage.Put(within(t, longer))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	sent := send(t, put.Send, &filler{state: uint64(time.Now().UnixNano()), left: large})
	answer, err := put.CloseAndRecv()
	if err != nil {
		t.Fatal(err)
	}
	digest := answer.GetBlob().GetDigest()
	if digest != hex.EncodeToString(sent.Sum(nil)) || answer.GetBlob().GetSize() != large {
		t.Fatalf("it was stored as %v", answer)
	}
	stored := time.Since(began)
	t.Cleanup(func() {
		if _, err := storage.Delete(t.Context(), &storagev1.DeleteRequest{Digest: digest}); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	stream, err := storage.Get(within(t, longer), &storagev1.GetRequest{Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	got := sha256.New()
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got.Write(m.GetChunk())
	}
	if back := hex.EncodeToString(got.Sum(nil)); back != digest {
		t.Errorf("it comes back as %s", back)
	}
	t.Logf("200 MiB stored in %v and read in %v", stored.Round(time.Millisecond), (time.Since(began) - stored).Round(time.Millisecond))
}

// send puts a reader's bytes by chunks, after an empty header.
func send(t *testing.T, put func(*storagev1.PutRequest) error, from io.Reader) hash.Hash {
	t.Helper()
	sum := sha256.New()
	err := put(&storagev1.PutRequest{Part: &storagev1.PutRequest_Header{Header: &storagev1.PutHeader{}}})
	chunk := make([]byte, 1<<20)
	for err == nil {
		var n int
		if n, err = io.ReadFull(from, chunk); n > 0 {
			sum.Write(chunk[:n])
			if failed := put(&storagev1.PutRequest{Part: &storagev1.PutRequest_Chunk{Chunk: chunk[:n]}}); failed != nil {
				err = failed
			}
		}
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return sum
}

package app_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"calotype/kit/config"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
)

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// form builds multipart/form-data; a part called file is the file.
func form(parts ...string) (body *bytes.Buffer, contentType string) {
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	for i := 0; i < len(parts); i += 2 {
		if parts[i] == "file" {
			p, _ := w.CreateFormFile("file", `C:\pictures\cat.jpg`)
			_, _ = p.Write([]byte(parts[i+1]))
			continue
		}
		_ = w.WriteField(parts[i], parts[i+1])
	}
	_ = w.Close()
	return body, w.FormDataContentType()
}

func TestUploadOfABareBody(t *testing.T) {
	s := newStage(t)
	data := noise(3<<20 + 17)
	rsp, body := s.post("/v1/images?preset=web&variants=small:w_320,f_webp&variants=big:w_2000", string(data),
		"Content-Type", "image/jpeg", "X-Filename", "sch%C3%B6n.jpg", "Idempotency-Key", "k1")
	var out struct {
		Image map[string]any
		Job   map[string]any
	}
	s.must(json.Unmarshal([]byte(body), &out))
	if rsp.StatusCode != 201 || rsp.Header.Get("Location") != "/v1/images/img_1" || out.Image["id"] != "img_1" || out.Job["state"] != "QUEUED" {
		t.Errorf("got %d %v %s", rsp.StatusCode, rsp.Header, body)
	}
	in := s.images.created[0]
	if in.Digest != digest(data) || in.Filename != "schön.jpg" || in.Preset != "web" || in.IdempotencyKey != "k1" ||
		strings.Join(in.Variants, " ") != "small:w_320,f_webp big:w_2000" {
		t.Errorf("the image service was told %v", in)
	}
	stat, err := storagev1.NewStorageService("calotype-storage", s.host.Client()).Stat(t.Context(), &storagev1.StatRequest{Digest: in.Digest})
	if err != nil || stat.GetSize() != int64(len(data)) {
		t.Errorf("storage has %v, %v", stat, err)
	}

	// What curl --data-binary says of itself must not matter; without a job there is no job in the answer.
	rsp, body = s.post("/v1/images?filename=a/b/plain.jpg", "bytes", "Content-Type", "application/x-www-form-urlencoded")
	if rsp.StatusCode != 201 || strings.Contains(body, `"job"`) || s.images.created[1].Filename != "plain.jpg" || s.images.created[1].IdempotencyKey == "" {
		t.Errorf("got %d %s, told %v", rsp.StatusCode, body, s.images.created[1])
	}
	s.post("/v1/images", "bytes", "Content-Disposition", `attachment; filename="../x.png"`)
	if got := s.images.created[2].Filename; got != "x.png" {
		t.Errorf("the name by Content-Disposition is %q", got)
	}
}

func TestUploadOfAForm(t *testing.T) {
	s := newStage(t)
	data := string(noise(600 << 10))
	for _, parts := range [][]string{ // the file first, last, and in between
		{"file", data, "variants", "a:w_1", "recipe", `{"variants":[{"name":"x"}]}`},
		{"variants", "a:w_1", "recipe", `{"variants":[{"name":"x"}]}`, "file", data},
		{"recipe", `{"variants":[{"name":"x"}]}`, "file", data, "variants", "a:w_1"},
	} {
		body, ct := form(parts...)
		rsp, text := s.do(s.request("POST", "/v1/images", body, "Content-Type", ct))
		in := s.images.created[len(s.images.created)-1]
		if rsp.StatusCode != 201 || in.Digest != digest([]byte(data)) || in.Filename != "cat.jpg" || len(in.Variants) != 1 ||
			in.GetRecipe().GetVariants()[0].GetName() != "x" {
			t.Errorf("got %d %s, told %v", rsp.StatusCode, text, in)
		}
	}
	for _, c := range []struct {
		parts             []string
		reason, violation string
	}{
		{[]string{"preset", "web"}, "INVALID", "file"},
		{[]string{"file", "x", "file", "y"}, "INVALID", "file"},
		{[]string{"file", "x", "presett", "web"}, "INVALID", "presett"},
		{[]string{"file", "x", "preset", "web", "preset", "card"}, "INVALID", "preset"},
		{[]string{"file", "x", "recipe", `{"variants":[{"nme":"x"}]}`}, "UNKNOWN_FIELD", "recipe.variants[0].nme"},
		{[]string{"file", "x", "preset", "\xff"}, "INVALID", "preset"},
		{[]string{"file", ""}, "EMPTY_FILE", ""},
	} {
		before := len(s.images.created)
		body, ct := form(c.parts...)
		rsp, text := s.do(s.request("POST", "/v1/images", body, "Content-Type", ct))
		d := s.wantProblem(rsp, text, 400, c.reason)
		if c.violation != "" && (len(d.Errors) != 1 || d.Errors[0].Path != c.violation) {
			t.Errorf("%v: violations %+v", c.parts, d.Errors)
		}
		if len(s.images.created) != before {
			t.Errorf("%v: an image was registered", c.parts)
		}
	}
	rsp, text := s.post("/v1/images", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf", "Content-Type", "multipart/form-data; boundary=b")
	s.wantProblem(rsp, text, 400, "BAD_FORM")
}

func TestUploadRefusesWhatItDoesNotKnow(t *testing.T) {
	s := newStage(t)
	rsp, body := s.post("/v1/images?presett=web", "x")
	if d := s.wantProblem(rsp, body, 400, "INVALID"); len(d.Errors) != 1 || d.Errors[0].Path != "presett" {
		t.Errorf("violations %+v", d.Errors)
	}
	rsp, body = s.post("/v1/images", "")
	s.wantProblem(rsp, body, 400, "EMPTY_FILE")
	for reason, status := range map[string]int{"UNSUPPORTED_FORMAT": 415, "BROKEN_IMAGE": 422, "IMAGE_TOO_LARGE": 413, "IDEMPOTENCY_KEY_REUSED": 422} {
		s.images.onCreate = func(context.Context, *imagev1.CreateImageRequest) error {
			return fault.New(fault.Invalid, reason, "it is not right")
		}
		rsp, body := s.post("/v1/images", "x")
		s.wantProblem(rsp, body, status, reason)
	}
}

// unread is a body that tells whether anybody read it.
type unread struct{ reads atomic.Int64 }

func (u *unread) Read(p []byte) (int, error) { u.reads.Add(1); return len(p), nil }

func TestTooLargeIsToldBeforeTheBodyIsRead(t *testing.T) {
	s := newStage(t, func(set *setup) { set.gateway.Limits.Upload = config.MiB })
	body := &unread{}
	r := s.request("POST", "/v1/images", body, "Expect", "100-continue")
	r.ContentLength = 2 << 30
	tr := &http.Transport{ExpectContinueTimeout: 10 * time.Second}
	defer tr.CloseIdleConnections()
	rsp, err := tr.RoundTrip(r)
	s.must(err)
	text, _ := io.ReadAll(rsp.Body)
	rsp.Body.Close()
	s.wantProblem(read(rsp), string(text), 413, "TOO_LARGE")
	if n := body.reads.Load(); n != 0 {
		t.Errorf("the body was read %d times", n)
	}

	// Where the length is not told, as soon as the limit is passed.
	endless := &unread{}
	r = s.request("POST", "/v1/images", endless)
	r.ContentLength = -1
	got, text2 := s.do(r)
	s.wantProblem(got, text2, 413, "TOO_LARGE")
	if len(s.images.created) != 0 {
		t.Error("an image was registered")
	}

	form, ct := form("file", string(noise(1<<20+1)))
	got, text3 := s.do(s.request("POST", "/v1/images", form, "Content-Type", ct))
	s.wantProblem(got, text3, 413, "TOO_LARGE")
	if rsp, text := s.post("/v1/images", string(noise(1<<20))); rsp.StatusCode != 201 {
		t.Errorf("a file of exactly the limit: %d %s", rsp.StatusCode, text)
	}
}

// store is a double of storage for what the real one cannot show: what is going on inside.
type store struct {
	storagev1.StorageHandler
	onPut func(context.Context, storagev1.Storage_PutStream) error
	onGet func(context.Context, *storagev1.GetRequest, storagev1.Storage_GetStream) error
}

func (s *store) Put(_ context.Context, st storagev1.Storage_PutStream) error {
	return s.onPut(st.Context(), st)
}

func (s *store) Get(_ context.Context, in *storagev1.GetRequest, st storagev1.Storage_GetStream) error {
	return s.onGet(st.Context(), in, st)
}

func TestAClientThatLeavesEndsTheWorkBehindIt(t *testing.T) {
	got, ended := make(chan struct{}, 1), make(chan error, 1)
	s := newStage(t, func(set *setup) {
		set.storage = &store{onPut: func(_ context.Context, st storagev1.Storage_PutStream) error {
			for {
				m, err := st.Recv()
				if err != nil {
					ended <- err
					return err
				}
				if len(m.GetChunk()) > 0 {
					select {
					case got <- struct{}{}:
					default:
					}
				}
			}
		}}
	})
	ctx, leave := context.WithCancel(t.Context())
	read, write := io.Pipe()
	go func() { _, _ = write.Write(noise(1 << 20)) }()
	sent := make(chan error, 1)
	go func() {
		r := s.request("POST", "/v1/images", read).WithContext(ctx)
		r.ContentLength = 10 << 20
		rsp, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			rsp.Body.Close()
		}
		sent <- err
	}()
	<-got
	leave()
	write.CloseWithError(errors.New("gone"))
	if err := <-sent; err == nil {
		t.Error("an upload that broke off was answered")
	}
	select {
	case err := <-ended:
		if errors.Is(err, io.EOF) {
			t.Error("storage was told that the file is whole")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("storage still waits for the rest")
	}
	if len(s.images.created) != 0 {
		t.Error("half a file became an image")
	}
}

func TestRanges(t *testing.T) {
	s := newStage(t)
	data := noise(2<<20 + 5)
	s.upload(data)
	img := s.images.keep("img_r", "cat \"1\".jpg", data)
	n := len(data)
	whole := fmt.Sprint(n)
	for _, c := range []struct {
		rng          string
		status       int
		want         []byte
		contentRange string
	}{
		{"", 200, data, ""},
		{"bytes=0-0", 206, data[:1], "bytes 0-0/" + whole},
		{"bytes=0-99", 206, data[:100], "bytes 0-99/" + whole},
		{"bytes=1048570-1048590", 206, data[1048570:1048591], "bytes 1048570-1048590/" + whole},
		{"bytes=100-", 206, data[100:], fmt.Sprintf("bytes 100-%d/%d", n-1, n)},
		{"bytes=-7", 206, data[n-7:], fmt.Sprintf("bytes %d-%d/%d", n-7, n-1, n)},
		{"bytes=-99999999", 206, data, fmt.Sprintf("bytes 0-%d/%d", n-1, n)},
		{fmt.Sprintf("bytes=%d-99999999", n-1), 206, data[n-1:], fmt.Sprintf("bytes %d-%d/%d", n-1, n-1, n)},
		{"bytes=0-1,5-6", 200, data, ""},
		{"items=0-1", 200, data, ""},
	} {
		headers := []string{}
		if c.rng != "" {
			headers = append(headers, "Range", c.rng)
		}
		for _, method := range []string{"GET", "HEAD"} {
			rsp, body := s.do(s.request(method, "/v1/images/img_r/original", nil, headers...))
			want := string(c.want)
			if rsp.StatusCode != c.status || rsp.Header.Get("Content-Range") != c.contentRange || rsp.ContentLength != int64(len(want)) {
				t.Errorf("%s %q: %d, Content-Range %q, length %d", method, c.rng, rsp.StatusCode, rsp.Header.Get("Content-Range"), rsp.ContentLength)
			}
			if method == "HEAD" {
				want = ""
			}
			if body != want {
				t.Errorf("%s %q: %d bytes that are not those", method, c.rng, len(body))
			}
			if h := rsp.Header; h.Get("ETag") != `"`+img.Digest+`"` || h.Get("Accept-Ranges") != "bytes" || h.Get("Content-Type") != "image/jpeg" ||
				h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") ||
				h.Get("Content-Disposition") != `inline; filename="cat 1.jpg"` || h.Get("Last-Modified") != born.Format(http.TimeFormat) {
				t.Errorf("%s %q: headers %v", method, c.rng, h)
			}
		}
	}
	for _, rng := range []string{"bytes=99999999-", "bytes=5-2", "bytes=x", "bytes=-0"} {
		rsp, body := s.get("/v1/images/img_r/original", "Range", rng)
		s.wantProblem(rsp, body, 416, "OUT_OF_RANGE")
		if got := rsp.Header.Get("Content-Range"); got != "bytes */"+whole {
			t.Errorf("%s: Content-Range %q", rng, got)
		}
	}
}

func TestConditions(t *testing.T) {
	s := newStage(t)
	data := noise(100)
	s.upload(data)
	img := s.images.keep("img_c", "", data)
	etag, before, after := `"`+img.Digest+`"`, born.Add(-time.Hour).Format(http.TimeFormat), born.Add(time.Hour).Format(http.TimeFormat)
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"If-None-Match", etag}, 304},
		{[]string{"If-None-Match", `W/` + etag}, 304},
		{[]string{"If-None-Match", `"other", ` + etag}, 304},
		{[]string{"If-None-Match", "*"}, 304},
		{[]string{"If-None-Match", `"other"`}, 200},
		{[]string{"If-Modified-Since", after}, 304},
		{[]string{"If-Modified-Since", before}, 200},
		{[]string{"If-None-Match", `"other"`, "If-Modified-Since", after}, 200}, // the ETag rules
		{[]string{"If-Match", `"other"`}, 412},
		{[]string{"If-Match", etag}, 200},
		{[]string{"If-Unmodified-Since", before}, 412},
		{[]string{"Range", "bytes=0-9", "If-Range", etag}, 206},
		{[]string{"Range", "bytes=0-9", "If-Range", `"other"`}, 200},
		{[]string{"Range", "bytes=0-9", "If-Range", `W/` + etag}, 200}, // weak: not good enough for a part
		{[]string{"Range", "bytes=0-9", "If-None-Match", etag}, 304},
	} {
		rsp, body := s.get("/v1/images/img_c/original", c.headers...)
		if rsp.StatusCode != c.status {
			t.Errorf("%v: %d %q, want %d", c.headers, rsp.StatusCode, body, c.status)
		}
		if c.status == 304 && (body != "" || rsp.Header.Get("ETag") != etag) {
			t.Errorf("%v: a 304 with %q and %v", c.headers, body, rsp.Header)
		}
		if c.status == 412 {
			s.wantProblem(rsp, body, 412, "PRECONDITION_FAILED")
		}
	}
}

func TestVariantsAndWhatIsMissing(t *testing.T) {
	s := newStage(t)
	data := noise(5000)
	s.upload(data)
	s.images.results["img_v/thumb"] = &imagev1.Result{Name: "thumb", Digest: digest(data), Size: int64(len(data)), Format: "jpeg", ContentType: "image/jpeg"}
	rsp, body := s.get("/v1/images/img_v/variants/thumb?download=true")
	if rsp.StatusCode != 200 || body != string(data) || rsp.Header.Get("Content-Disposition") != "attachment; filename=img_v-thumb.jpg" {
		t.Errorf("got %d, %d bytes, %v", rsp.StatusCode, len(body), rsp.Header)
	}
	if v := rsp.Header.Get("X-Accel-Expires"); v != "@1" || rsp.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("nginx is told %q, clients %v", v, rsp.Header)
	}
	if rsp, body = s.get("/v1/images/img_v/variants/thumb", "Range", "bytes=-3"); rsp.StatusCode != 206 || body != string(data[4997:]) {
		t.Errorf("its end: %d %d bytes", rsp.StatusCode, len(body))
	}
	s.images.keep("img_lost", "", []byte("registered, but not stored"))
	rsp, body = s.get("/v1/images/img_lost/original")
	s.wantProblem(rsp, body, 404, "BLOB_NOT_FOUND")
	if rsp.Header.Get("ETag") != "" || rsp.Header.Get("Content-Disposition") != "" {
		t.Errorf("a problem is labelled as the picture: %v", rsp.Header)
	}
}

// A stream that fails in its middle or at its very end never looks like a whole answer.
func TestABrokenDownloadIsSeenToBeBroken(t *testing.T) {
	data := noise(3 << 20)
	var whole bool
	s := newStage(t, func(set *setup) {
		set.storage = &store{onGet: func(_ context.Context, _ *storagev1.GetRequest, st storagev1.Storage_GetStream) error {
			part := data
			if !whole {
				part = data[:1<<20]
			}
			for len(part) > 0 {
				n := min(len(part), 1<<20)
				if err := st.Send(&storagev1.GetResponse{Part: &storagev1.GetResponse_Chunk{Chunk: part[:n]}}); err != nil {
					return err
				}
				part = part[n:]
			}
			return fault.New(fault.Internal, "BLOB_CORRUPT", "the bytes do not give their digest")
		}}
	})
	s.images.keep("img_b", "", data)
	for _, whole = range []bool{false, true} {
		rsp, err := http.DefaultTransport.RoundTrip(s.request("GET", "/v1/images/img_b/original", nil))
		if err != nil {
			continue // cut before the headers went out
		}
		n, err := io.Copy(io.Discard, rsp.Body)
		rsp.Body.Close()
		if err == nil {
			t.Errorf("whole %v: %d of %d bytes came, and no error", whole, n, len(data))
		}
	}
}

// upload puts bytes into storage.
func (s *stage) upload(data []byte) {
	s.t.Helper()
	if rsp, body := s.post("/v1/images", string(data)); rsp.StatusCode != 201 {
		s.t.Fatalf("uploading: %d %s", rsp.StatusCode, body)
	}
}

package main_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An event reaches the client while the stream goes on.
func TestEventsComeAtOnce(t *testing.T) {
	read, left := make(chan struct{}), make(chan struct{})
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-read
		_, _ = io.WriteString(w, "data: 2\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(left)
	})
	e := start(t, []string{g.addr})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.http+"/v1/jobs/job_1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	rsp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(rsp.Body)
	for _, want := range []string{"data: 1\n", "\n"} {
		if line, err := lines.ReadString('\n'); err != nil || line != want {
			t.Fatalf("read %q, %v", line, err)
		}
	}
	close(read)
	if line, err := lines.ReadString('\n'); err != nil || line != "data: 2\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	rsp.Body.Close() // and the gateway learns that the client has left
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("the gateway goes on for a client that has left")
	}
}

// The gateway gets an upload's first bytes before its last are sent, and its answer comes in the middle of one.
func TestUploadsPassThroughAsTheyCome(t *testing.T) {
	came := make(chan string, 1)
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		var first [5]byte
		_, _ = io.ReadFull(r.Body, first[:])
		came <- string(first[:])
		n, err := io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strconv.FormatInt(n, 10))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	})
	e := start(t, []string{g.addr})
	for _, length := range []int64{10, -1} {
		body, write := io.Pipe()
		got := make(chan answer, 1)
		go func() {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, e.http+"/v1/images", body)
			req.ContentLength = length
			rsp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				got <- answer{Response: &http.Response{}}
				return
			}
			defer rsp.Body.Close()
			b, _ := io.ReadAll(rsp.Body)
			got <- answer{rsp, string(b)}
		}()
		_, _ = write.Write([]byte("first"))
		if first := <-came; first != "first" {
			t.Fatalf("the gateway read %q", first)
		}
		_, _ = write.Write([]byte("-last"))
		write.Close()
		if a := <-got; a.StatusCode != 200 || a.body != "5" {
			t.Errorf("got %d %q", a.StatusCode, a.body)
		}
	}
}

// A gateway that answers before it has read all is heard; nothing is made of it but what it said.
func TestAnEarlyAnswer(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Connection", "close")
		w.WriteHeader(415)
		_, _ = io.WriteString(w, "not a picture")
	})
	e := start(t, []string{g.addr})
	for range 5 {
		a := e.upload(bytes.NewReader(make([]byte, 8<<20)))
		if a.StatusCode != 415 || a.body != "not a picture" {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
	}
}

func TestLargeBodies(t *testing.T) {
	noise := make([]byte, 64<<20)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(noise)
	sum := sha256.Sum256(noise)
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write(noise)
			return
		}
		h := sha256.New()
		_, _ = io.Copy(h, r.Body)
		_, _ = w.Write(h.Sum(nil))
	})
	e := start(t, []string{g.addr})
	if a := e.do("POST", "/v1/images", bytes.NewReader(noise)); a.body != string(sum[:]) {
		t.Errorf("an upload of 64 MiB arrived as something else: %d", a.StatusCode)
	}
	for _, path := range []string{"/v1/images/img_1/original", "/i/w_1/img_1.jpg", "/v1/images/img_1/variants/a"} {
		if a := e.get(path); sha256.Sum256([]byte(a.body)) != sum {
			t.Errorf("%s: %d bytes came, not those that were sent", path, len(a.body))
		}
	}
	large := make([]byte, 102<<20)
	e.wantProblem(e.upload(bytes.NewReader(large)), 413, "TOO_LARGE")
	e.wantProblem(e.upload(struct{ io.Reader }{bytes.NewReader(large)}), 413, "TOO_LARGE") // of a length that nobody told
}

func TestTextIsCompressed(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		_, _ = io.WriteString(w, strings.Repeat("text ", 1000))
	})
	e := start(t, []string{g.addr})
	for kind, want := range map[string]string{"application/json": "gzip", "image/svg+xml": "gzip", "image/jpeg": ""} {
		if a := e.get("/v1/x?type="+strings.ReplaceAll(kind, "+", "%2B"), "Accept-Encoding", "gzip"); a.Header.Get("Content-Encoding") != want {
			t.Errorf("%s comes %q", kind, a.Header.Get("Content-Encoding"))
		}
	}
}

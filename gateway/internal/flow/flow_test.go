package flow_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"calotype/gateway/internal/flow"
	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
)

func TestFillGivesTheSourcesOwnError(t *testing.T) {
	for _, c := range []struct {
		r    io.Reader
		n    int
		want error
	}{
		{strings.NewReader("abcdef"), 4, nil},
		{strings.NewReader("abcd"), 4, nil},
		{strings.NewReader("abc"), 3, io.EOF},
		{iotest.OneByteReader(strings.NewReader("abc")), 3, io.EOF},
		{iotest.DataErrReader(strings.NewReader("abcd")), 4, io.EOF},
		{io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(io.ErrUnexpectedEOF)), 2, io.ErrUnexpectedEOF},
	} {
		if n, err := flow.Fill(c.r, make([]byte, 4)); n != c.n || !errors.Is(err, c.want) {
			t.Errorf("got %d, %v, want %d, %v", n, err, c.n, c.want)
		}
	}
}

// A client that sends nothing more is told so, and holds nothing up.
func TestABodyThatStalls(t *testing.T) {
	got := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, flow.NewBody(w, r, 1<<20, 50*time.Millisecond))
		got <- err
		problem.Write(w, r, err)
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
	if err := <-got; !fault.Is(err, fault.Invalid) || fault.ReasonOf(err) != problem.Stalled {
		t.Errorf("a stalled body gave %v", err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 408" {
		t.Errorf("the client was told %q, %v", answer, err)
	}
}

// A client that takes nothing is given up, and whoever makes the bytes is freed.
func TestAReaderThatStalls(t *testing.T) {
	freed := make(chan struct{})
	chunk := make([]byte, 1<<20)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(freed)
		_ = flow.Send(w, r, 50*time.Millisecond, func() { w.WriteHeader(200) }, func() ([]byte, error) { return chunk, nil })
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-freed:
	case <-time.After(20 * time.Second):
		t.Fatal("the handler still waits")
	}
}

func TestSend(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		chunks  []string
		end     error
		want    string // what went out
		aborted bool
		err     error
	}{
		"nothing":               {nil, io.EOF, "", false, nil},
		"one":                   {[]string{"abc"}, io.EOF, "abc", false, nil},
		"three":                 {[]string{"a", "bcd", "e"}, io.EOF, "abcde", false, nil},
		"fails at once":         {nil, broken, "", false, broken},
		"fails at the end":      {[]string{"ab", "cd"}, broken, "abc", true, nil},
		"fails after its first": {[]string{"abc"}, broken, "ab", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			i, began := 0, false
			aborted, err := false, error(nil)
			func() {
				defer func() { err, ok := recover().(error); aborted = ok && errors.Is(err, http.ErrAbortHandler) }()
				err = flow.Send(w, r, time.Minute, func() { began = true }, func() ([]byte, error) {
					if i == len(c.chunks) {
						return nil, c.end
					}
					i++
					return bytes.Clone([]byte(c.chunks[i-1])), nil
				})
			}()
			if w.Body.String() != c.want || aborted != c.aborted || !errors.Is(err, c.err) || began != (c.err == nil) {
				t.Errorf("went out %q, aborted %v, began %v, error %v", w.Body, aborted, began, err)
			}
		})
	}
}

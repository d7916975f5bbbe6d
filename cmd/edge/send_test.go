package main_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
)

// answer is a whole one.
type answer struct {
	*http.Response
	body string
}

func (e *edge) do(method, path string, body io.Reader, headers ...string) answer {
	e.t.Helper()
	a, err := e.try(http.DefaultTransport, method, path, body, headers...)
	if err != nil {
		e.t.Fatal(err)
	}
	return a
}

func (e *edge) get(path string, headers ...string) answer {
	e.t.Helper()
	return e.do(http.MethodGet, path, nil, headers...)
}

func (e *edge) try(by http.RoundTripper, method, path string, body io.Reader, headers ...string) (answer, error) {
	req, err := e.request(method, path, body, headers...)
	if err != nil {
		return answer{}, err
	}
	return send(by, req)
}

// request makes one, of the edge's address where the path is no URL of its own.
func (e *edge) request(method, path string, body io.Reader, headers ...string) (*http.Request, error) {
	if !strings.HasPrefix(path, "http") {
		path = e.http + path
	}
	req, err := http.NewRequestWithContext(e.t.Context(), method, path, body)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return req, nil
}

// send reads the whole answer.
func send(by http.RoundTripper, req *http.Request) (answer, error) {
	rsp, err := by.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	return answer{rsp, string(b)}, err
}

// once is a body that net/http does not send again by itself, as it would under an Idempotency-Key.
type once struct{ io.Reader }

// post creates something. Length -1 is one that is not told; no key is "", and what begins with "=" is the header as it stands.
func (e *edge) post(by http.RoundTripper, url string, body io.Reader, length int64, key string, headers ...string) (answer, error) {
	req, err := e.request(http.MethodPost, url, once{body}, headers...)
	if err != nil {
		return answer{}, err
	}
	req.ContentLength = length
	if as, raw := strings.CutPrefix(key, "="); raw {
		req.Header["Idempotency-Key"] = strings.Split(as, "|")
	} else if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return send(by, req)
}

// upload sends what may be refused before it is all sent.
func (e *edge) upload(body io.Reader) answer {
	e.t.Helper()
	a, err := e.try(listening{}, http.MethodPost, "/v1/images", body)
	if err != nil {
		e.t.Fatal(err)
	}
	return a
}

// listening reads while it writes, and so hears an answer that comes before all was sent. net/http, whose connection that answer closes under
// its own writing, tells one time of the one and one time of the other.
type listening struct{}

func (listening) RoundTrip(req *http.Request) (*http.Response, error) {
	var d net.Dialer
	conn, err := d.DialContext(req.Context(), "tcp", req.URL.Host)
	if err != nil {
		return nil, err
	}
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		_ = req.Write(conn) // what became of it, the answer tells
	}()
	rsp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		conn.Close()
		<-wrote
		return nil, err
	}
	rsp.Body = &closing{rsp.Body, func() { conn.Close(); <-wrote }}
	return rsp, nil
}

// closing has more to close than the body it reads.
type closing struct {
	io.ReadCloser
	also func()
}

func (c *closing) Close() error {
	defer c.also()
	return c.ReadCloser.Close()
}

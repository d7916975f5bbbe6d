package main_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

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

// upload sends what may be refused before it is all sent.
func (e *edge) upload(body io.Reader) answer {
	e.t.Helper()
	a, err := e.try(listening{}, http.MethodPost, "/v1/images", body)
	if err != nil {
		e.t.Fatal(err)
	}
	return a
}

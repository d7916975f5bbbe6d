package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// gateway plays one: HTTP/1, HTTP/2 in clear text and gRPC at one port.
type gateway struct {
	addr   string
	server *http.Server
	served atomic.Int64 // requests that are no probes
}

func newGateway(t *testing.T, h http.HandlerFunc) *gateway {
	return newGatewayAt(t, "127.0.0.1:0", h, nil)
}

func newGatewayAt(t *testing.T, at string, h http.HandlerFunc, rpc *grpc.Server) *gateway {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{addr: l.Addr().String()}
	g.server = &http.Server{Protocols: new(http.Protocols), ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/healthz":
			return
		case rpc != nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
			rpc.ServeHTTP(w, r)
			return
		}
		g.served.Add(1)
		w.Header().Set("X-Gateway", g.addr)
		h(w, r)
	})}
	g.server.Protocols.SetHTTP1(true)
	g.server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = g.server.Serve(l) }()
	t.Cleanup(func() { g.server.Close() })
	return g
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func noise(seed byte, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// takes answers with the digest of what came, and counts the requests that came whole.
func takes(whole *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		whole.Add(1)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, digest(b))
	}
}

// dies takes so much of a request and says so much of an answer, then its connection breaks as a killed process's does.
func dies(taken int64, said string, died *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(io.Discard, r.Body, taken)
		died.Add(1)
		conn, out, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = out.WriteString(said)
		_ = out.Flush()
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

const all = 1 << 40

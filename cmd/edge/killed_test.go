package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"calotype/test/servers"
)

// The variables that make the test's own binary a gateway, to be killed: where it listens, and the file in which it notes what it did.
const asGateway, gatewayNotes = "EDGE_TEST_GATEWAY", "EDGE_TEST_NOTES"

// serveGateway notes what it does when it has the whole of a request, and lets the caller wait a little for its answer.
func serveGateway() error {
	notes, err := os.OpenFile(os.Getenv(gatewayNotes), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer notes.Close()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", os.Getenv(asGateway))
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if _, err := fmt.Fprintln(notes, r.Header.Get("X-Request-Id")); err != nil {
			panic(err)
		}
		hold(r.Context(), 20*time.Millisecond)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, digest(b))
	})}
	return server.Serve(l)
}

// Gateways are killed as by kill -9, one after the other: no creation with a key fails, and none without one is done twice.
func TestKilledGatewaysCostNothingThatHasAKey(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var gateways []*servers.Process
	var addresses []string
	for range 2 {
		at := servers.FreePort(t)
		addresses = append(addresses, at)
		gateways = append(gateways, servers.Run(t, servers.Program{Path: self, Env: []string{asGateway + "=" + at, gatewayNotes + "=" + notes},
			Ready: func(ctx context.Context, _ *servers.Process) error {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
				if err != nil {
					return err
				}
				return conn.Close()
			}}))
	}
	e := start(t, addresses, "CALOTYPE_EDGE__GATEWAYS__SILENCE=1h")

	bodies := [][]byte{noise(1, 100), noise(2, 200<<10), noise(3, 3<<20)}
	var sent, failed, told, lost atomic.Int64
	keyed := func(id string) bool { return strings.HasPrefix(id, "keyed") }
	acknowledged := sync.Map{}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	client := func(name, path string, body []byte) {
		clients.Go(func() {
			by := &http.Transport{}
			defer by.CloseIdleConnections()
			for n := 0; ctx.Err() == nil; n++ {
				id, key := fmt.Sprintf("%s-%s-%d", name, strings.ReplaceAll(path[1:], "/", "-"), n), ""
				if keyed(id) {
					key = id
				}
				a, err := e.post(by, path, bytes.NewReader(body), int64(len(body)), key, "X-Request-Id", id)
				sent.Add(1)
				switch {
				case err == nil && a.StatusCode == 201 && a.body == digest(body):
					acknowledged.Store(id, true)
				case err == nil && !keyed(id) && a.StatusCode == 502:
					told.Add(1)
					e.wantProblem(a, 502, "GATEWAY_LOST")
				default:
					if failed.Add(1) <= 3 {
						t.Errorf("%s: %v %+v", id, err, a)
					}
				}
			}
		})
	}
	for i, body := range bodies {
		client(fmt.Sprint("keyed", i), "/v1/images", body)
		client(fmt.Sprint("keyed", i, "b"), "/v1/images", body)
	}
	client("keyed", "/v1/jobs", bodies[0])
	client("keyed", "/v1/batches", bodies[0])
	for i := range 4 {
		client(fmt.Sprint("plain", i), "/v1/images", bodies[0])
	}

	done := func() (times map[string]int, again int) {
		text, err := os.ReadFile(notes)
		if err != nil {
			t.Fatal(err)
		}
		times = map[string]int{}
		for id := range strings.FieldsSeq(string(text)) {
			if times[id]++; times[id] == 2 {
				again++
			}
		}
		return times, again
	}
	kills, again := 0, 0
	for began := time.Now(); kills < 4 || (again == 0 || told.Load() == 0) && time.Since(began) < time.Minute; kills++ {
		g := gateways[kills%2]
		g.Kill()
		at := sent.Load()
		e.eventually("it goes on", func() bool { return sent.Load() > at+24 })
		g.Start()
		at = sent.Load()
		e.eventually("it goes on with both", func() bool { return e.metric(`calotype_edge_nodes{state="well"}`) == 2 && sent.Load() > at+24 })
		_, again = done()
	}
	stop()
	clients.Wait()
	times, again := done()
	for id, n := range times {
		if n > 1 && !keyed(id) {
			t.Errorf("%s was done %d times", id, n)
		}
	}
	acknowledged.Range(func(id, _ any) bool {
		if times[id.(string)] == 0 {
			lost.Add(1)
		}
		return true
	})
	t.Logf("%d gateways killed under %d creations: %d failed, %d without a key were told 502; %d with a key were done again, %d acknowledged ones lost", kills, sent.Load(), failed.Load(), told.Load(), again, lost.Load())
	if failed.Load() > 0 || lost.Load() > 0 || again == 0 || told.Load() == 0 {
		t.Error("none was to fail or be lost, and some to be done again, and some to be told 502")
	}
}

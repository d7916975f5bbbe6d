package main_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"calotype/test/servers"
)

func trusting(t *testing.T, files servers.TLSFiles) *tls.Config {
	t.Helper()
	authority, err := os.ReadFile(files.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// Wherever a gateway dies over a creation with a key, another one gets it from its first byte; without a key none does.
func TestADeadGatewaysCreationsGoToTheNext(t *testing.T) {
	certs := servers.NewAuthority(t).Issue(t.TempDir(), 2)
	small, middle, large := noise(1, 10<<10), noise(2, 1000<<10), noise(3, 6<<20)
	for _, c := range []struct {
		when, said string
		taken      int64
	}{{"before it reads", "", 0}, {"over the body", "", 5 << 10}, {"before it answers", "", all}, {"over its answer", "HTTP/1.1 201 Created\r\nContent-Le", all}} {
		var died, whole atomic.Int64
		dead, well := newGateway(t, dies(c.taken, c.said, &died)), newGateway(t, takes(&whole))
		e := start(t, []string{dead.addr, well.addr}, "CALOTYPE_EDGE__TLS__CERT_FILE="+certs.Cert, "CALOTYPE_EDGE__TLS__KEY_FILE="+certs.Key)
		for version, base := range map[string]string{"HTTP/1.1": e.http, "HTTP/2.0": "https://" + e.tls} {
			by := &http.Transport{TLSClientConfig: trusting(t, certs), ForceAttemptHTTP2: true}
			died.Store(0)
			for i := range 8 {
				for path, body := range map[string][]byte{"/v1/images?preset=web": small, "/v1/images": middle, "/v1/images?preset=card": large, "/v1/jobs": small, "/v1/batches": small} {
					a, err := e.post(by, base+path, bytes.NewReader(body), int64(len(body)), fmt.Sprint("key-", i))
					if err != nil || a.StatusCode != 201 || a.body != digest(body) || a.Proto != version {
						t.Fatalf("%s, %s %s of %d bytes: %v %+v", c.when, version, path, len(body), err, a)
					}
				}
			}
			if died.Load() == 0 {
				t.Errorf("%s, %s: nothing was repeated", c.when, version)
			}

			// A connection whose body nginx has not read to its end when it answers 502 ends after that answer; who posts on it at that moment, and
			// without a key, cannot tell what became of it. Each post has one of its own.
			alone := &http.Transport{TLSClientConfig: trusting(t, certs), ForceAttemptHTTP2: true, DisableKeepAlives: true}
			died.Store(0)
			whole.Store(0)
			lost, done := int64(0), int64(0)
			for path, key := range map[string]string{"/v1/images": "", "/v1/jobs": "", "/v1/batches": "", "/v1/jobs/job_1:retry": "means nothing there", "/v1/images/": "nor there"} {
				for range 8 {
					a, err := e.post(alone, base+path, bytes.NewReader(small), int64(len(small)), key)
					switch {
					case err != nil:
						t.Errorf("%s, %s %s: %v", c.when, version, path, err)
					case a.StatusCode == 201:
						done++
					default:
						lost++
						e.wantProblem(a, 502, "GATEWAY_LOST")
					}
				}
			}
			if lost == 0 || died.Load() != lost || whole.Load() != done {
				t.Errorf("%s, %s: without a key %d were lost with the %d that died, and %d done by the %d that came whole", c.when, version, lost, died.Load(), done, whole.Load())
			}
			by.CloseIdleConnections()
		}
	}
}

// A body is not carried from gateway to gateway for ever, and an answer is one, whatever it says.
func TestHowOftenOneIsRepeated(t *testing.T) {
	var died, whole, busy atomic.Int64
	one, two := newGateway(t, dies(all, "", &died)), newGateway(t, dies(all, "", &died))
	e := start(t, []string{one.addr, two.addr})
	send := func() answer {
		t.Helper()
		a, err := e.post(http.DefaultTransport, "/v1/images", strings.NewReader("x"), 1, "k")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	e.wantProblem(send(), 502, "GATEWAY_LOST")
	if n := died.Load(); n != 3 {
		t.Errorf("%d gateways died of one request, 3 may", n)
	}
	one.server.Close()
	two.server.Close()
	e.wantProblem(send(), 503, "UNAVAILABLE")

	unwilling := newGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		busy.Add(1)
		w.WriteHeader(503)
		_, _ = io.WriteString(w, "its own words")
	})
	e = start(t, []string{unwilling.addr, newGateway(t, takes(&whole)).addr})
	var refused int64
	for range 16 {
		if a := send(); a.StatusCode == 503 && a.body == "its own words" {
			refused++
		}
	}
	if refused == 0 || refused != busy.Load() || refused+whole.Load() != 16 {
		t.Errorf("%d were refused by a gateway, and %d told so; %d were done", busy.Load(), refused, whole.Load())
	}
}

// What found no room is not repeated, and its client is told what others are.
func TestWhatFoundNoRoomIsLostOnce(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var died atomic.Int64
	die := dies(all, "", &died)
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") != "first" {
			die(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		close(entered)
		<-release
	})
	e := start(t, []string{g.addr}, "CALOTYPE_EDGE__REPEAT__SIZE=64KiB", "CALOTYPE_EDGE__REPEAT__ROOM=128KiB", "CALOTYPE_EDGE__GATEWAYS__SILENCE=1h")
	body := noise(1, 64<<10)
	var first sync.WaitGroup
	first.Go(func() {
		if a, err := e.post(&http.Transport{}, "/v1/images", bytes.NewReader(body), 64<<10, "first"); err != nil || a.StatusCode != 200 {
			t.Errorf("the one that is kept: %v %+v", err, a)
		}
	})
	<-entered
	a, err := e.post(&http.Transport{}, "/v1/images", bytes.NewReader(body), 64<<10, "second")
	if err != nil {
		t.Fatal(err)
	}
	e.wantProblem(a, 502, "GATEWAY_LOST")
	if n := died.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
	close(release)
	first.Wait()
}

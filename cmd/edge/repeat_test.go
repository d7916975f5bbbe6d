package main_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"calotype/test/servers"
)

// once is a body that net/http does not send again by itself, as it would under an Idempotency-Key.
type once struct{ io.Reader }

// post creates something. Length -1 is one that is not told; no key is "", and what begins with "=" is the header as it stands.
func (e *edge) post(by http.RoundTripper, url string, body io.Reader, length int64, key string, headers ...string) (answer, error) {
	if !strings.HasPrefix(url, "http") {
		url = e.http + url
	}
	req, err := http.NewRequestWithContext(e.t.Context(), http.MethodPost, url, once{body})
	if err != nil {
		return answer{}, err
	}
	req.ContentLength = length
	if as, raw := strings.CutPrefix(key, "="); raw {
		req.Header["Idempotency-Key"] = strings.Split(as, "|")
	} else if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rsp, err := by.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(rsp.Body)
	return answer{rsp, string(b)}, err
}

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

			died.Store(0)
			whole.Store(0)
			lost, done := int64(0), int64(0)
			for path, key := range map[string]string{"/v1/images": "", "/v1/jobs": "", "/v1/batches": "", "/v1/jobs/job_1:retry": "means nothing there", "/v1/images/": "nor there"} {
				for range 8 {
					a, err := e.post(by, base+path, bytes.NewReader(small), int64(len(small)), key)
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

// A gateway sees nothing of what is kept before it is here; what cannot be repeated, or would be too much, it gets as it comes.
func TestWhatIsKeptAndWhatPassesThrough(t *testing.T) {
	first := make(chan struct{}, 1)
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		var one [1]byte
		_, _ = io.ReadFull(r.Body, one[:])
		first <- struct{}{}
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n+1)
	})
	const limit, smallest = 1 << 20, 1000 // there is room for one large one, and eight small ones
	e := start(t, []string{g.addr}, "CALOTYPE_EDGE__REPEAT__SIZE=1MiB", "CALOTYPE_EDGE__REPEAT__ROOM=2MiB", "CALOTYPE_EDGE__GATEWAYS__SILENCE=1h")
	// open begins an upload and returns when nginx has agreed to take it; end sends the rest.
	open := func(length int64, key string) (end func()) {
		t.Helper()
		body, write := io.Pipe()
		got := make(chan answer, 1)
		go func() {
			a, err := e.post(&http.Transport{ExpectContinueTimeout: time.Hour}, "/v1/images", body, length, key, "Expect", "100-continue")
			if err != nil {
				t.Errorf("%d bytes under %q: %v", length, key, err)
				a.Response = &http.Response{}
				body.CloseWithError(err)
			}
			got <- a
		}()
		whole := max(length, smallest)
		_, _ = write.Write(make([]byte, 100)) // taken only after nginx said to go on
		return func() {
			t.Helper()
			_, _ = write.Write(make([]byte, whole-100))
			write.Close()
			if a := <-got; a.StatusCode != 200 || a.body != fmt.Sprint(whole) {
				t.Errorf("%d bytes under %q: %d %s", length, key, a.StatusCode, a.body)
			}
		}
	}
	ended := int64(0)
	passes := func(what string, length int64, key string) {
		t.Helper()
		e.eventually(what+" passes through", func() bool {
			end := open(length, key)
			passed := false
			select {
			case <-first: // and the last is not sent yet
				passed = true
			case <-time.After(time.Second):
			}
			end()
			if ended++; !passed {
				<-first
			}
			return passed
		})
	}
	passes("no key", smallest, "")
	passes("an empty key", smallest, "=")
	passes("two keys of which the gateway sees the empty one", smallest, "=|b")
	passes("a key of blanks", smallest, "=\t")
	passes("a length that is not told", -1, "k")
	passes("one byte too many", limit+1, "k")

	ends := []func(){open(limit, "large")}
	for i := range int64(8) {
		ends = append(ends, open(smallest+i, "small"))
	}
	passes("a second large one", limit, "more")
	passes("a ninth small one", smallest, "more")
	if n := g.served.Load(); n != ended {
		t.Errorf("%d came to the gateway, when %d had been sent as a whole or passed through: slow clients hold it", n, ended)
	}
	for _, end := range ends {
		go end()
		<-first
	}
	e.eventually("there is room again", func() bool {
		end := open(limit, "again")
		select {
		case <-first:
			end()
			return false
		case <-time.After(200 * time.Millisecond):
			end()
			<-first
			return true
		}
	})
}

// What is kept is not kept from the limits of its client.
func TestLimitsHoldForWhatIsKept(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		entered <- struct{}{}
		<-release
	})
	e := start(t, []string{g.addr}, "CALOTYPE_EDGE__LIMITS__CONNECTIONS=2", "CALOTYPE_EDGE__REPEAT__SIZE=1MiB", "CALOTYPE_EDGE__REPEAT__ROOM=2MiB",
		"CALOTYPE_EDGE__GATEWAYS__SILENCE=1h")
	var two sync.WaitGroup
	for range 2 { // both large, of which one finds no room
		two.Go(func() {
			if a, err := e.post(&http.Transport{}, "/v1/images", bytes.NewReader(make([]byte, 1<<20)), 1<<20, "k"); err != nil || a.StatusCode != 200 {
				t.Errorf("within the limit: %v %+v", err, a)
			}
		})
		<-entered
	}
	for _, size := range []int{100, 1 << 20} {
		a, err := e.post(&http.Transport{}, "/v1/images", bytes.NewReader(make([]byte, size)), int64(size), "k")
		if err != nil {
			t.Fatal(err)
		}
		e.wantProblem(a, 429, "EXHAUSTED")
	}
	close(release)
	two.Wait()
	e = start(t, []string{g.addr}, "CALOTYPE_EDGE__LIMITS__UPLOAD=2MiB", "CALOTYPE_EDGE__LIMITS__JSON=1KiB", "CALOTYPE_EDGE__REPEAT__SIZE=64KiB", "CALOTYPE_EDGE__REPEAT__ROOM=1MiB")
	for path, size := range map[string]int{"/v1/images": 2<<20 + 1, "/v1/jobs": 100 << 10, "/v1/presets": 1025} {
		a, err := e.post(&http.Transport{}, path, bytes.NewReader(make([]byte, size)), int64(size), "k")
		if err != nil {
			t.Fatal(err)
		}
		e.wantProblem(a, 413, "TOO_LARGE")
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

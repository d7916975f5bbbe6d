package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

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
	var ending sync.WaitGroup
	for _, end := range ends {
		ending.Go(end)
		<-first
	}
	ending.Wait()
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
	for path, size := range map[string]int{"/v1/images": 2<<20 + 1, "/v1/jobs": 100 << 10, "/v1/batches": 2000, "/v1/presets": 1025} {
		a, err := e.post(&http.Transport{}, path, bytes.NewReader(make([]byte, size)), int64(size), "k")
		if err != nil {
			t.Fatal(err)
		}
		e.wantProblem(a, 413, "TOO_LARGE")
	}
}

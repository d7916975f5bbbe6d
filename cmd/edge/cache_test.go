package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// pictures plays what a gateway serves below /i/.
func pictures(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("ETag", `"`+r.URL.Path+`"`)
	w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
	if strings.Contains(r.URL.Path, "f_auto") {
		w.Header().Set("Vary", "Accept")
	}
	w.Header().Set("Content-Type", "image/jpeg")
	fmt.Fprintf(w, "%s as %s", r.URL.RequestURI(), r.Header.Get("Accept"))
}

func TestThePictureIsFetchedOnce(t *testing.T) {
	entered, release := make(chan struct{}, 100), make(chan struct{})
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
		pictures(w, r)
	})
	e := start(t, []string{g.addr})
	var all sync.WaitGroup
	var same atomic.Int64
	for range 20 {
		all.Go(func() {
			a, err := e.try(&http.Transport{}, "GET", "/i/w_5/img_1.jpg", nil)
			if err == nil && a.body == "/i/w_5/img_1.jpg as */*" {
				same.Add(1)
			}
		})
	}
	<-entered
	close(release)
	all.Wait()
	if g.served.Load() != 1 || same.Load() != 20 {
		t.Errorf("%d of 20 got the picture; the gateway made it %d times", same.Load(), g.served.Load())
	}

	// What it is asked for by, and what not.
	first := e.get("/i/w_5/img_1.jpg")
	if first.Header.Get("X-Cache-Status") != "HIT" || len(first.Header.Values("X-Request-Id")) != 1 || first.Header.Get("ETag") != `"/i/w_5/img_1.jpg"` ||
		first.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("from the cache come %v", first.Header)
	}
	if again := e.get("/i/w_5/img_1.jpg"); again.Header.Get("X-Request-Id") == first.Header.Get("X-Request-Id") {
		t.Error("the id of the request that filled the cache is told to others")
	}
	for _, c := range []struct {
		path, status, body string
		code               int
		headers            []string
	}{
		{"/i/w_5/img_1.jpg?v=2", "HIT", "/i/w_5/img_1.jpg as */*", 200, nil}, // the gateway does not see the query
		{"/i/w_6/img_1.jpg?v=2", "MISS", "/i/w_6/img_1.jpg as */*", 200, nil},
		{"/i/w_5/img_1.jpg", "HIT", "/i/w_5/img_1.jpg as */*", 200, []string{"Range", "bytes=0-3"}},  // as the gateway itself
		{"/i/w_7/img_1.jpg", "MISS", "/i/w_7/img_1.jpg as */*", 200, []string{"Range", "bytes=0-3"}}, // the whole is fetched and kept
		{"/i/w_7/img_1.jpg", "HIT", "/i/w_7/img_1.jpg as */*", 200, nil},
		{"/i/w_5/img_1.jpg", "HIT", "", 304, []string{"If-None-Match", `"/i/w_5/img_1.jpg"`}},
		{"/i/w_5/img_1.jpg", "BYPASS", "/i/w_5/img_1.jpg as */*", 200, []string{"Authorization", "Bearer x"}},
		{"/i/w_8/img_1.jpg", "BYPASS", "/i/w_8/img_1.jpg as */*", 200, []string{"Authorization", "Bearer x"}}, // and not kept
		{"/i/w_8/img_1.jpg", "MISS", "/i/w_8/img_1.jpg as */*", 200, nil},
		{"/i/f_auto/img_1", "MISS", "/i/f_auto/img_1 as image/avif,image/webp", 200, []string{"Accept", "image/avif,image/webp,image/apng,*/*;q=0.8"}},
		{"/i/f_auto/img_1", "HIT", "/i/f_auto/img_1 as image/avif,image/webp", 200, []string{"Accept", "text/html,image/webp, image/avif"}},
		{"/i/f_auto/img_1", "MISS", "/i/f_auto/img_1 as image/webp", 200, []string{"Accept", "image/webp,*/*"}},
		{"/i/f_auto/img_1", "MISS", "/i/f_auto/img_1 as */*", 200, []string{"Accept", "image/*"}},
		{"/i/f_auto/img_1", "HIT", "/i/f_auto/img_1 as */*", 200, []string{"Accept", "text/html"}},
		{"/i/f_auto/img_1", "MISS", "/i/f_auto/img_1 as image/avif;q=0.1,image/webp", 200, []string{"Accept", "image/avif;q=0.1,image/webp"}},
		{"/i/s--sig--/w%20_5/img_1.jpg", "MISS", "/i/s--sig--/w%20_5/img_1.jpg as */*", 200, nil},   // as it is signed, so it is asked for
		{"/i/w_auto/img_1", "MISS", "/i/w_auto/img_1 as */*", 200, []string{"Sec-CH-Width", "600"}}, // client hints
		{"/i/w_auto/img_1", "HIT", "/i/w_auto/img_1 as */*", 200, []string{"Sec-CH-Width", "600"}},
		{"/i/w_auto/img_1", "MISS", "/i/w_auto/img_1 as */*", 200, []string{"Sec-CH-Width", "900"}},
		{"/i/w_9,dpr%5fauto/img_1", "MISS", "/i/w_9,dpr%5fauto/img_1 as */*", 200, []string{"DPR", "2"}},
		{"/i/w_9,dpr%5fauto/img_1", "HIT", "/i/w_9,dpr%5fauto/img_1 as */*", 200, []string{"DPR", "2", "Sec-CH-Width", "900"}},
		{"/i/w_9,dpr%5fauto/img_1", "MISS", "/i/w_9,dpr%5fauto/img_1 as */*", 200, []string{"DPR", "1"}},
		{"/i/w_5/img_1.jpg", "HIT", "/i/w_5/img_1.jpg as */*", 200, []string{"Sec-CH-Width", "900", "DPR", "2"}},
		{"/i/s--sig--/exp_9/w_5/img_1.jpg", "MISS", "/i/s--sig--/exp_9/w_5/img_1.jpg as */*", 200, nil},
		{"/i/s--sig--/exp_9/w_5/img_1.jpg", "HIT", "/i/s--sig--/exp_9/w_5/img_1.jpg as */*", 200, nil},
		{"/v1/x", "", "/v1/x as */*", 200, []string{"Accept", "*/*"}},
	} {
		a := e.get(c.path, c.headers...)
		if a.StatusCode != c.code || a.Header.Get("X-Cache-Status") != c.status || a.body != c.body {
			t.Errorf("%s %v: %d %s %q, want %d %s %q", c.path, c.headers, a.StatusCode, a.Header.Get("X-Cache-Status"), a.body, c.code, c.status, c.body)
		}
	}
}

func TestStaleIsBetterThanNothing(t *testing.T) {
	var busy atomic.Bool
	body := atomic.Pointer[string]{}
	one, two := "one", "two"
	body.Store(&one)
	var conditional atomic.Int64
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		text := *body.Load()
		switch {
		case busy.Load():
			w.WriteHeader(503)
			return
		case strings.HasPrefix(r.URL.Path, "/i/"):
			w.Header().Set("Cache-Control", "public, max-age=1")
		case strings.HasSuffix(r.URL.Path, "/told"):
			w.Header().Set("X-Accel-Expires", "@1")
			fallthrough
		default:
			w.Header().Set("Cache-Control", "no-cache")
		}
		w.Header().Set("ETag", `"`+text+`"`)
		if r.Header.Get("If-None-Match") == `"`+text+`"` {
			conditional.Add(1)
			w.WriteHeader(304)
			return
		}
		_, _ = io.WriteString(w, text)
	})
	e := start(t, []string{g.addr})
	e.get("/i/w_1/a.jpg")
	e.get("/i/w_1/b.jpg")
	busy.Store(true)
	e.eventually("it is out of date", func() bool { return e.get("/i/w_1/a.jpg").Header.Get("X-Cache-Status") != "HIT" })
	if a := e.get("/i/w_1/a.jpg"); a.StatusCode != 200 || a.body != one {
		t.Errorf("while the gateway is busy: %d %q", a.StatusCode, a.body)
	}
	busy.Store(false)
	body.Store(&two)
	e.eventually("it is made anew behind the scenes", func() bool { return e.get("/i/w_1/a.jpg").body == two })

	// A variant that jobs make is asked for each time, whole only when it is another.
	body.Store(&one)
	path := "/v1/images/img_1/variants/told"
	e.get(path)
	before := conditional.Load()
	if a := e.get(path); a.body != one || conditional.Load() != before+1 || a.Header.Get("Cache-Control") != "no-cache" || a.Header.Get("X-Accel-Expires") != "" {
		t.Errorf("the second time: %q %v, asked with a condition %d times", a.body, a.Header, conditional.Load()-before)
	}
	body.Store(&two)
	if a := e.get(path); a.body != two {
		t.Errorf("after a change: %q", a.body)
	}
	if a := e.get("/v1/images/img_1/variants/untold"); a.Header.Get("X-Cache-Status") != "MISS" {
		t.Errorf("untold: %v", a.Header)
	}
	if a := e.get("/v1/images/img_1/variants/untold"); a.Header.Get("X-Cache-Status") != "MISS" {
		t.Errorf("what the gateway wants asked for each time is kept: %v", a.Header)
	}

	g.server.Close()
	if a := e.get(path); a.StatusCode != 200 || a.body != two || a.Header.Get("X-Cache-Status") != "STALE" {
		t.Errorf("without a gateway the variant is %d %q %v", a.StatusCode, a.body, a.Header)
	}
	if a := e.get("/i/w_1/b.jpg"); a.StatusCode != 200 || a.body != one {
		t.Errorf("without a gateway the picture is %d %q", a.StatusCode, a.body)
	}
	e.wantProblem(e.get("/i/w_1/c.jpg"), 503, "UNAVAILABLE")
	e.wantProblem(e.get("/v1/x"), 503, "UNAVAILABLE")

	// The cache outlives the process.
	e.process.Stop()
	e.process.Start()
	if a := e.get("/i/w_1/b.jpg"); a.StatusCode != 200 || a.body != one {
		t.Errorf("after a restart without a gateway the picture is %d %q", a.StatusCode, a.body)
	}
}

// No error is kept, and without a cache nothing at all.
func TestWhatIsNotCached(t *testing.T) {
	var fails atomic.Bool
	fails.Store(true)
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		if fails.Load() {
			w.Header().Set("X-Accel-Expires", "@1")
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.WriteHeader(404)
			return
		}
		pictures(w, r)
	})
	e := start(t, []string{g.addr})
	for _, path := range []string{"/i/w_1/a.jpg", "/v1/images/img_1/variants/a"} {
		fails.Store(true)
		if a := e.get(path); a.StatusCode != 404 {
			t.Fatalf("%s: %d", path, a.StatusCode)
		}
		fails.Store(false)
		if a := e.get(path); a.StatusCode != 200 || a.Header.Get("X-Cache-Status") != "MISS" {
			t.Errorf("%s: a 404 is kept: %d %s", path, a.StatusCode, a.Header.Get("X-Cache-Status"))
		}
	}
	e = start(t, []string{g.addr}, "CALOTYPE_EDGE__CACHE__SIZE=0")
	for range 2 {
		if a := e.get("/i/w_1/a.jpg"); a.StatusCode != 200 || a.Header.Get("X-Cache-Status") != "" {
			t.Errorf("without a cache: %d %v", a.StatusCode, a.Header)
		}
	}
	if _, err := os.Stat(filepath.Join(e.dir, "cache")); err == nil {
		t.Error("a folder was made for no cache")
	}
}

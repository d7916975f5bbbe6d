package bench

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"calotype/test/servers"
)

// BenchmarkCached asks again and again for one picture that is known: of the gateway (in `calotype up`, which has it in memory), and of
// nginx before it (which has it on disk). The load is wrk, which takes a fraction of what the servers do, but shares their cores.
func BenchmarkCached(b *testing.B) {
	s := up(b, "CALOTYPE_LOG__LEVEL=info") // the access log is written
	id := s.keep(b, "../pictures/photo.jpg")
	e := servers.NewEdge(b)
	for _, v := range e.Env {
		if file, ok := strings.CutPrefix(v, "CALOTYPE_EDGE__STATE="); ok {
			text, _ := json.Marshal(map[string]any{"addresses": []string{s.at}})
			if err := os.WriteFile(file, text, 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	edge := servers.Run(b, servers.Program{
		Path: e.Program, Env: append(e.Env, "CALOTYPE_EDGE__WORKERS=2", "CALOTYPE_EDGE__CONNECTIONS=1024", "CALOTYPE_REGISTRY__KIND=consul", "CALOTYPE_REGISTRY__ADDRESSES=127.0.0.1:1",
			"CALOTYPE_EDGE__ACCESS_LOG=/dev/null", "CALOTYPE_TRACING__SAMPLER=off", "CALOTYPE_OPS__LISTEN="+servers.FreePort(b)), Ready: serves(e.URL + "/healthz"),
	})
	path := "/i/w_320,q_80/" + id + ".jpg"
	for _, side := range []struct {
		name, at string
		pid      int
	}{{"gateway", s.at, s.Pid()}, {"nginx", strings.TrimPrefix(e.URL, "http://"), edge.Pid()}} {
		var tag string
		for range 2 { // from now on it is known
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+side.at+path, nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header.Set("Accept", accept)
			rsp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			n, _ := io.Copy(io.Discard, rsp.Body)
			_ = rsp.Body.Close()
			b.Logf("%s: %s, %d bytes, cache %s", side.name, rsp.Status, n, rsp.Header.Get("X-Cache-Status"))
			tag = rsp.Header.Get("ETag")
		}
		header := []string{"-H", "Accept: " + accept}
		b.Run(side.name, func(b *testing.B) { again(b, "http://"+side.at+path, header, side.pid) })
		b.Run(side.name+"/304", func(b *testing.B) {
			again(b, "http://"+side.at+path, append(header, "-H", "If-None-Match: "+tag), side.pid)
		})
	}
}

const accept = "image/webp,*/*"

// again measures one request, from 32 connections for three seconds.
func again(b *testing.B, url string, header []string, pid int) {
	for b.Loop() {
		load := exec.CommandContext(b.Context(), "wrk", append([]string{"-t1", "-c32", "-d3s", url}, header...)...)
		began, before := time.Now(), cpu(pid)
		out, err := load.CombinedOutput()
		if err != nil {
			b.Fatalf("%v (make bench installs it)\n%s", err, out)
		}
		if bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
			b.Errorf("not every answer was good:\n%s", out)
		}
		var n float64
		found := answered.FindSubmatch(out)
		if found == nil {
			b.Fatalf("wrk says\n%s", out)
		}
		if n, err = strconv.ParseFloat(string(found[1]), 64); err != nil {
			b.Fatal(err)
		}
		each := float64((cpu(pid) - before).Microseconds()) / n
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(n/time.Since(began).Seconds(), "requests/s")
		b.ReportMetric(each, "server-cpu-us")
		b.ReportMetric(float64((load.ProcessState.UserTime()+load.ProcessState.SystemTime()).Microseconds())/n, "client-cpu-us")
	}
}

var answered = regexp.MustCompile(`(\d+) requests in`)

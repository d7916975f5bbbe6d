package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// BenchmarkCached asks again and again for one picture that is known: of the gateway (in `calotype up`, which has it in memory), and of
// nginx before it (which has it on disk). The load is loops of our own over kept connections, which send a prepared request and count the
// answer's bytes: that takes a fraction of what the servers do, but it shares their cores, so the servers' own processor
// time tells what two cores could do without it.
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
		conditional := ""
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
			conditional = "If-None-Match: " + rsp.Header.Get("ETag") + "\r\n"
		}
		b.Run(side.name, func(b *testing.B) { again(b, side.at, path, "", side.pid) })
		b.Run(side.name+"/304", func(b *testing.B) { again(b, side.at, path, conditional, side.pid) })
	}
}

const accept = "image/webp,*/*"

// again measures one request, from 32 connections for three seconds.
func again(b *testing.B, at, path, header string, pid int) {
	request := []byte("GET " + path + " HTTP/1.1\r\nHost: " + at + "\r\nAccept: " + accept + "\r\nUser-Agent: bench\r\n" + header + "\r\n")
	for b.Loop() {
		var answers atomic.Int64
		var stop atomic.Bool
		var all sync.WaitGroup
		began, before, own := time.Now(), cpu(pid), used()
		for range 32 {
			all.Go(func() {
				n, err := loop(at, request, &stop)
				answers.Add(n)
				if err != nil {
					b.Error(err)
				}
			})
		}
		timer := time.AfterFunc(3*time.Second, func() { stop.Store(true) })
		all.Wait()
		timer.Stop()
		n := float64(answers.Load())
		each := float64((cpu(pid) - before).Microseconds()) / n
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(n/time.Since(began).Seconds(), "requests/s")
		b.ReportMetric(each, "server-cpu-us")
		b.ReportMetric(float64((used()-own).Microseconds())/n, "client-cpu-us")
		b.ReportMetric(2e6/each, "requests/s-of-2-cores")
	}
}

// loop asks until it is stopped. The first answer is read as HTTP; what follows must be as long.
func loop(at string, request []byte, stop *atomic.Bool) (answers int64, err error) {
	conn, err := net.Dial("tcp", at)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	buffer := make([]byte, 256<<10)
	length := 0
	for ; !stop.Load(); answers++ {
		if answers%9000 == 8999 { // nginx closes a connection after 10,000
			if err = errors.Join(conn.Close(), func() (err error) { conn, err = net.Dial("tcp", at); return err }()); err != nil {
				return answers, err
			}
		}
		if _, err = conn.Write(request); err != nil {
			return answers, err
		}
		if length == 0 {
			if length, err = measured(conn); err != nil {
				return answers, err
			}
			continue
		}
		// Headers tell times and ids of one length; the body ends the answer.
		head, err := conn.Read(buffer)
		if err != nil {
			return answers, err
		}
		if !bytes.HasPrefix(buffer[:head], []byte("HTTP/1.1 200")) && !bytes.HasPrefix(buffer[:head], []byte("HTTP/1.1 304")) {
			return answers, fmt.Errorf("answered %.100q", buffer[:head])
		}
		if _, err := io.ReadFull(conn, buffer[:max(0, length-head)]); err != nil {
			return answers, err
		}
	}
	return answers, nil
}

// measured reads one answer and gives its length in bytes.
func measured(conn net.Conn) (int, error) {
	var raw bytes.Buffer
	rsp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), nil)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, rsp.Body); err != nil {
		return 0, err
	}
	return raw.Len(), rsp.Body.Close()
}

package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mixed are kinds of work. Each picture is asked for in a width that it was never asked for in, so that no result is known.
var mixed = []string{
	"w_%d,f_jpeg", "w_%d,f_webp", "w_%d,h_300,c_fill,g_auto,f_jpeg", "w_%d,f_png", "w_%d,h_200,c_pad,b_white,f_jpeg", "w_%d/e_blur:3,f_webp", "w_%d,f_avif",
	"w_%d,f_jpeg,fl_progressive", "w_%d/a_90,f_jpeg",
}

// BenchmarkMemory has `calotype up`, so a worker and all the rest, make MIXED pictures (10,000) of the files in TEST_CORPUS (../shared/corpus
// beside the tree), four at a time, and tells how much memory the process took: at the peak, idle after the first half, and idle in the end.
// Idle is what is left after the caches dropped what nobody used. ALLOCATOR names a library to be loaded in malloc's place.
func BenchmarkMemory(b *testing.B) {
	n, folder := 10_000, os.Getenv("TEST_CORPUS")
	if text := os.Getenv("MIXED"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	if folder == "" {
		folder = "../../../shared/corpus"
	}
	var files []string
	for _, pattern := range []string{"photo/*.jpg", "alpha/*.png", "anim/*.gif", "anim/*.webp", "variant/*.webp", "variant/hato*.avif", "variant/progressive*.jpg", "variant/*.heic"} {
		found, _ := filepath.Glob(filepath.Join(folder, pattern))
		files = append(files, found...)
	}
	if len(files) == 0 {
		b.Fatalf("there are no pictures in %s; TEST_CORPUS names another folder", folder)
	}
	env := []string{"CALOTYPE_WORKER__ORIGINALS__IDLE=8s", "CALOTYPE_RESULTS__IDLE=8s"} // else the same after minutes
	if lib := os.Getenv("ALLOCATOR"); lib != "" {
		env = append(env, "LD_PRELOAD="+lib, "MALLOC_CONF=background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0")
	}
	for b.Loop() {
		s := up(b, env...)
		var ids []string
		for _, f := range files {
			ids = append(ids, s.keep(b, f))
		}
		var made, refused atomic.Int64
		half := func(from, to int) (idle float64) {
			var next atomic.Int64
			next.Store(int64(from))
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for i := int(next.Add(1)) - 1; i < to; i = int(next.Add(1)) - 1 {
						options := fmt.Sprintf(mixed[(i+i/len(ids))%len(mixed)], 100+i%1500)
						switch status, err := ask(b.Context(), "http://"+s.at+"/i/"+options+"/"+ids[i%len(ids)]); {
						case err != nil:
							b.Error(err)
						case status == http.StatusOK:
							made.Add(1)
						default:
							refused.Add(1)
						}
					}
				})
			}
			all.Wait()
			return s.settled(b)
		}
		began, before := time.Now(), cpu(s.Pid())
		first := half(0, n/2)
		last := half(n/2, n)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(memory(b, s.Pid(), "VmHWM"), "peak-MiB")
		b.ReportMetric(first, "idle-after-half-MiB")
		b.ReportMetric(last, "idle-MiB")
		b.ReportMetric(float64(made.Load()), "made")
		b.ReportMetric(float64(refused.Load()), "refused")
		b.ReportMetric(float64((cpu(s.Pid())-before).Milliseconds())/float64(n), "cpu-ms/picture")
		b.ReportMetric(time.Since(began).Seconds(), "seconds")
		s.Stop()
	}
}

// settled waits until what the process takes has not changed for a while, at most a minute, and gives it in MiB.
func (s running) settled(b *testing.B) (rss float64) {
	began, same := time.Now(), time.Now()
	for tick := time.Tick(time.Second); time.Since(began) < time.Minute && (time.Since(same) < 15*time.Second); <-tick {
		if now := memory(b, s.Pid(), "VmRSS"); now < rss-1 || now > rss+1 {
			rss, same = now, time.Now()
		}
	}
	return rss
}

func ask(ctx context.Context, url string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	rsp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer rsp.Body.Close()
	_, err = io.Copy(io.Discard, rsp.Body)
	return rsp.StatusCode, err
}

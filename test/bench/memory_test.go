package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"calotype/test/bench/pixels"
)

// mixed are kinds of work. Each picture is asked for in a width that it was never asked for in, so that no result is known.
var mixed = []string{
	"w_%d,f_jpeg", "w_%d,f_webp", "w_%d,h_300,c_fill,g_auto,f_jpeg", "w_%d,f_png", "w_%d,h_200,c_pad,b_white,f_jpeg", "w_%d/e_blur:3,f_webp", "w_%d,f_avif",
	"w_%d,f_jpeg,fl_progressive", "w_%d/a_90,f_jpeg",
}

// Every sixteenth picture is made of a heavy file, up to 1,500 pixels wide; the others up to 360. One costs 100 ms of processor time or less
// so, in the mean of all, while a heavy one costs 700: nearly always one is being made, and often two, so that what takes most memory
// comes together as it does among pictures that are all heavy, and 10,000 take some 10 minutes on two cores.
const (
	heavyEvery = 16
	heavyWide  = 1433
	lightWide  = 293 // both are primes, so that widths come together with every file and kind
)

var (
	lightFiles = []string{
		"photo/autumn.jpg", "photo/colorfulcups.jpg", "photo/hato.jpg", "photo/iphone.jpg", "photo/iphone13_12.jpg", "photo/jolla.jpg", "photo/nokia9.jpg", "photo/phone12.jpg",
		"photo/sharp6.jpg", "photo/storm.jpg", "alpha/*.png", "anim/banana.gif", "anim/*.webp", "variant/photo.webp", "variant/progressive.jpg", "variant/photo.png",
	}
	heavyFiles = []string{
		"photo/iphone13_24.jpg", "variant/progressive12.jpg", "variant/iphone13.heic", "variant/hato10.avif", "variant/hato.avif", "anim/demo.gif",
		"anim/earth.gif", "variant/photo-ll.webp",
	}
)

// BenchmarkMemory has Calotype make MIXED pictures (10,000) of the files in TEST_CORPUS (../shared/corpus beside the tree), four at a time,
// and tells how much memory took who decodes: at the peak, idle after the first half, and idle in the end. That is a worker with a process
// of its own, as it is in a cluster, and `calotype up`, which is a worker and all the rest. Idle is what is left after the caches dropped
// what nobody used; file is what of it are pages of files, which the system can take back. ALLOCATOR names a library to be loaded in
// malloc's place.
func BenchmarkMemory(b *testing.B) {
	n := 10_000
	if text := os.Getenv("MIXED"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	env := []string{"CALOTYPE_WORKER__ORIGINALS__IDLE=8s"} // else after minutes
	if lib := os.Getenv("ALLOCATOR"); lib != "" {
		env = append(env, "LD_PRELOAD="+lib, "MALLOC_CONF=background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0")
	}
	b.Run("worker", func(b *testing.B) {
		bin := b.TempDir()
		pixels.Build(b, bin, "", programs...)
		for b.Loop() {
			load(b, startNodes(b, bin, env...).suite, "worker", n)
		}
	})
	b.Run("up", func(b *testing.B) {
		bin := b.TempDir()
		pixels.Build(b, bin, "", "./cmd/calotype")
		for b.Loop() {
			load(b, newSuite(b, filepath.Join(bin, "calotype"), nil, append(env, "CALOTYPE_RESULTS__IDLE=8s")...), "calotype up", n)
		}
	})
}

// load has n pictures made and reports on one of the processes.
func load(b *testing.B, s *suite, process string, n int) {
	b.Helper()
	light, heavy := s.named(b, lightFiles), s.named(b, heavyFiles)
	address := func(i int) string {
		ids, turn, wide := light, i-i/heavyEvery, lightWide
		if i%heavyEvery == 0 {
			ids, turn, wide = heavy, i/heavyEvery, heavyWide
		}
		options := fmt.Sprintf(mixed[(turn+turn/len(ids))%len(mixed)], 64+turn*7%wide)
		return s.base + "/i/" + options + "/" + ids[turn%len(ids)]
	}
	var made, refused atomic.Int64
	half := func(from, to int) {
		var next atomic.Int64
		next.Store(int64(from))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for i := int(next.Add(1)) - 1; i < to; i = int(next.Add(1)) - 1 {
					if _, err := fetch(b.Context(), address(i)); err != nil {
						b.Log(err)
						refused.Add(1)
					} else {
						made.Add(1)
					}
				}
			})
		}
		all.Wait()
	}
	pid := s.processes[process].Pid()
	before := cpu(pid)
	began := time.Now()
	half(0, n/2)
	took := time.Since(began)
	first := settled(b, pid)
	began = time.Now()
	half(n/2, n)
	took += time.Since(began)
	used := cpu(pid) - before
	last := settled(b, pid)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(memory(b, pid, "VmHWM"), "peak-MiB")
	b.ReportMetric(first, "idle-after-half-MiB")
	b.ReportMetric(last, "idle-MiB")
	b.ReportMetric(memory(b, pid, "RssFile"), "idle-file-MiB")
	b.ReportMetric(float64(made.Load()), "made")
	b.ReportMetric(float64(refused.Load()), "refused")
	b.ReportMetric(float64(used.Milliseconds())/float64(n), "cpu-ms/picture")
	b.ReportMetric(took.Seconds(), "seconds")
	for _, p := range s.processes {
		p.Stop()
	}
}

// named uploads the corpus' files of some patterns and gives the images' ids.
func (s *suite) named(b *testing.B, patterns []string) (ids []string) {
	b.Helper()
	folder := os.Getenv("TEST_CORPUS")
	if folder == "" {
		folder = "../../../shared/corpus"
	}
	for _, pattern := range patterns {
		found, _ := filepath.Glob(filepath.Join(folder, pattern))
		if len(found) == 0 {
			b.Fatalf("there is no %s in %s; TEST_CORPUS names another folder", pattern, folder)
		}
		for _, f := range found {
			ids = append(ids, s.upload(b, f).GetId())
		}
	}
	return ids
}

// settled waits until what a process takes has not changed for a while, at most a minute, and gives it in MiB.
func settled(b *testing.B, pid int) (rss float64) {
	b.Helper()
	began, same := time.Now(), time.Now()
	for tick := time.Tick(time.Second); time.Since(began) < time.Minute && (time.Since(same) < 15*time.Second); <-tick {
		if now := memory(b, pid, "VmRSS"); now < rss-1 || now > rss+1 {
			rss, same = now, time.Now()
		}
	}
	return rss
}

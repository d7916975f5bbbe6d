//go:build linux

package isolation_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"calotype/services/image/internal/isolation"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

// BenchmarkIsolation renders photographs in this process and in helpers, in turns, and reports the ratios: of pictures a second, and of
// the processor time of all processes for each. TEST_CORPUS names a folder of photographs; without it there is one.
func BenchmarkIsolation(b *testing.B) {
	e, err := pipeline.New(pipeline.Config{Limits: pipeline.DefaultLimits()})
	if err != nil {
		b.Fatal(err)
	}
	w := begin(b, func(o *isolation.Options) { o.Renders, o.Pictures = 2, 1<<30 })
	photos := [][]byte{picture(b, "photo.jpg")}
	if dir := os.Getenv("TEST_CORPUS"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "photo", "*.jpg"))
		photos = nil
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				b.Fatal(err)
			}
			photos = append(photos, data)
		}
	}
	for _, c := range []struct {
		name    string
		callers int
		variant string
	}{{"1 caller", 1, "w_512,f_jpeg,q_80"}, {"2 callers", 2, "w_512,f_jpeg,q_80"}, {"2 callers, large", 2, "w_2000,f_webp"}} {
		v, err := recipe.Parse(c.variant)
		if err != nil {
			b.Fatal(err)
		}
		v.Name = "v"
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				var rates, cpus []float64
				for i := range 7 {
					var rate, cpu [2]float64
					for n := range 2 {
						side := (i + n) % 2
						rate[side], cpu[side] = lap(b, []worker.Engine{direct{e}, w}[side], photos, v, c.callers)
					}
					rates, cpus = append(rates, rate[1]/rate[0]), append(cpus, cpu[1]/cpu[0])
				}
				slices.Sort(rates)
				slices.Sort(cpus)
				b.ReportMetric(rates[3], "x-rate")
				b.ReportMetric(cpus[3], "x-cpu")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// lap renders every photograph, and gives pictures a second and the processor seconds for each.
func lap(b *testing.B, e worker.Engine, photos [][]byte, v recipe.Variant, callers int) (rate, cpu float64) {
	const rounds = 4
	var next atomic.Int64
	var wg sync.WaitGroup
	before, began := processor(b), time.Now()
	for range callers {
		wg.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= rounds*len(photos) {
					return
				}
				if _, err := e.Render(context.Background(), job.Input{Data: photos[n%len(photos)]}, []recipe.Variant{v}, nil); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all := float64(rounds * len(photos))
	return all / time.Since(began).Seconds(), (processor(b) - before).Seconds() / all
}

// processor is the time that this process and its helpers have used.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	sum := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if _, rest, ok := strings.Cut(string(text), ") "); err == nil && ok {
			f := strings.Fields(rest) // from the third on
			if f[1] != fmt.Sprint(os.Getpid()) {
				continue
			}
			user, _ := strconv.Atoi(f[11])
			system, _ := strconv.Atoi(f[12])
			sum += time.Duration(user+system) * 10 * time.Millisecond // a tick on every Linux there is
		}
	}
	return sum
}

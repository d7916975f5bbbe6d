package pipeline

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/test/bench/pixels"
)

// Render beside vips_thumbnail_buffer and save, in C, on the same libvips: what the engine adds for single pictures, and what one decode
// saves for a set.
func BenchmarkPixels(b *testing.B) {
	e, bare := engine(b), pixels.NewBare(b, "")
	pixels.Say("libvips %s on both sides", bare.Version)
	tasks := append(pixels.Tasks(), pixels.Set())
	files, data, convert := map[string][]string{}, map[string][][]byte{}, map[string]bool{}
	for _, t := range tasks {
		if files[t.Kind] != nil {
			continue
		}
		files[t.Kind] = pixels.Originals(b, t.Kind)
		for _, name := range files[t.Kind] {
			original, err := os.ReadFile(name)
			if err != nil {
				b.Fatal(err)
			}
			data[t.Kind] = append(data[t.Kind], original)
			convert[name] = foreignColours(b, e, original)
		}
	}
	pixels.Compare(b, tasks,
		pixels.Contender{Name: "bare libvips", Turn: func(tb testing.TB, t pixels.Task, callers int) pixels.Lap {
			return bare.Turn(tb, t, files[t.Kind], convert, callers)
		}},
		pixels.Contender{Name: "Render", Turn: func(tb testing.TB, t pixels.Task, callers int) pixels.Lap {
			var set []recipe.Variant
			for _, s := range t.Shapes {
				v, err := recipe.Parse(s.Options)
				if err != nil {
					tb.Fatal(err)
				}
				set = append(set, v)
			}
			runtime.GC() // what the turns before left is not of this one
			return pixels.Turn(tb, len(data[t.Kind]), t.Rounds, callers, used, func(file int) (int, int64, error) {
				done, err := e.Render(tb.Context(), job.Input{Data: data[t.Kind][file]}, set, nil)
				var bytes int64
				for _, r := range done {
					bytes += int64(len(r.Data))
				}
				return len(done), bytes, err
			})
		}})
}

// used is the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// foreignColours reports whether the engine converts the colours of an original, so that the other side does it, too.
func foreignColours(tb testing.TB, e *Engine, data []byte) bool {
	tb.Helper()
	h, err := e.admit(data)
	if err != nil {
		tb.Fatal(err)
	}
	r, release := hold(tb.Context())
	defer release()
	var pin runtime.Pinner
	defer pin.Unpin()
	a := r.arena()
	defer a.free()
	profile := open(a, &pin, data, h, reading{frames: 1}).profile()
	return profile != nil && !nearSRGB(profile)
}

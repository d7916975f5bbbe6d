//go:build linux && !race

package pipeline

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// memory gives a figure of this process in bytes: VmRSS is what it takes, VmHWM the most that it took since that was last forgotten.
func memory(t *testing.T, what string) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(what+":")); ok {
			kib, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return kib << 10
		}
	}
	t.Fatalf("no %s", what)
	return 0
}

// What is foreseen of pictures that are large enough to be measured beside all else in the process: no more than a third too little, so that
// the memory that is set holds, and no more than four times too much, so that it is used. The race
// detector's own memory would be measured with it.
func TestWhatIsForeseenIsWhatIsTaken(t *testing.T) {
	e := engine(t)
	for _, c := range []struct{ of, options string }{
		{"photo.jpg", "c_scale,w_1600,h_1600,f_avif"},
		{"photo.jpg", "c_scale,w_2000,h_2000,f_webp"},
		{"photo.jpg", "c_scale,w_2000,h_2000/e_blur:3,f_jpeg"},
		{"banana.gif", "c_scale,w_600,h_600,f_webp"},
		{"banana.gif", "c_scale,w_600,h_600/e_blur:3,f_webp"},
	} {
		data := load(t, c.of)
		pic, err := e.Inspect(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		weighed(t, e, c.of+" "+c.options, data, wished(t, c.options, pic))
	}
}

func weighed(t *testing.T, e *Engine, name string, data []byte, v recipe.Variant) {
	t.Helper()
	in := job.Input{Data: data}
	runtime.GC()
	Release()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // forgets VmHWM
		t.Fatal(err)
	}
	before := memory(t, "VmRSS")
	e.make(t, data, v)
	foreseen, took := e.Weigh(in, []recipe.Variant{v}), memory(t, "VmHWM")-before
	t.Logf("%-50s foreseen %4d MiB, took %4d", name, foreseen>>20, took>>20)
	if foreseen < took*3/4 || foreseen > 4*took+least {
		t.Errorf("%s: %d MiB were foreseen, and %d taken", name, foreseen>>20, took>>20)
	}
}

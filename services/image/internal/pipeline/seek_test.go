package pipeline

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// apart is the DSSIM of two pictures as a whole.
func (e *Engine) apart(t testing.TB, want, got []byte) float64 {
	t.Helper()
	r, release := hold(t.Context())
	defer release()
	a := r.arena()
	defer a.free()
	d := decoded(t, e, a, want).distance(got, recipe.Format(e.kind(t, got)))
	if a.err != nil {
		t.Fatal(a.err)
	}
	return d
}

// decoded gives the pixels of a file.
func decoded(t testing.TB, e *Engine, a *arena, data []byte) picture {
	t.Helper()
	h, err := e.admit(data)
	if err != nil {
		t.Fatal(err)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	return open(a, &pin, data, h, reading{frames: 1}).memory()
}

func (e *Engine) kind(t testing.TB, data []byte) string {
	t.Helper()
	h, err := e.admit(data)
	if err != nil {
		t.Fatal(err)
	}
	return h.Format
}

// Where the encoders agree with the measure, a nearer target costs more bytes, and each comes about as near as it says.
func TestQualityIsFoundForATarget(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	plain := e.make(t, data, variant(recipe.PNG, recipe.Resize{Width: 500})).Data
	for format := range reaches {
		before := 0
		for _, target := range []recipe.Target{recipe.TargetLow, recipe.TargetEco, recipe.TargetGood, recipe.TargetBest} {
			o := recipe.Output{Format: format, AutoQuality: target}
			r := e.make(t, data, as(o, recipe.Resize{Width: 500}))
			d := e.apart(t, plain, r.Data)
			if want := targets[target]; d > want*1.2 || d < want/3 {
				t.Errorf("%s for %s: DSSIM %.4f, want about %.4f", format, target, d, want)
			}
			if len(r.Data) <= before {
				t.Errorf("%s for %s has %d bytes, the target before %d", format, target, len(r.Data), before)
			}
			before = len(r.Data)
			if again := e.make(t, data, as(o, recipe.Resize{Width: 500})); !bytes.Equal(again.Data, r.Data) {
				t.Errorf("%s for %s is another the second time", format, target)
			}
		}
	}
}

// A line, a single pixel, grey, transparency and an animation can be measured too, and metadata is kept where that is asked for.
func TestQualityIsFoundOfAnything(t *testing.T) {
	e := engine(t)
	for _, name := range []string{"alpha.png", "walk.gif", "gray.jpg", "photo.jpg"} {
		data := load(t, name)
		for _, s := range []recipe.Resize{{Mode: recipe.Scale, Width: 1, Height: 1}, {Mode: recipe.Scale, Width: 1, Height: 9000}, {Mode: recipe.Scale, Width: 9000, Height: 3},
			{Mode: recipe.Scale, Width: 700, Height: 130}} {
			for _, f := range []recipe.Format{recipe.JPEG, recipe.WebP} {
				e.look(t, e.make(t, data, as(recipe.Output{Format: f, AutoQuality: recipe.TargetEco, Page: 1}, s)))
			}
		}
	}
	if r := e.make(t, load(t, "walk.gif"), as(recipe.Output{Format: recipe.WebP, AutoQuality: recipe.TargetGood})); r.Pages != 8 {
		t.Errorf("the animation has %d frames", r.Pages)
	}
	kept := e.make(t, load(t, "photo.jpg"), as(recipe.Output{Format: recipe.JPEG, AutoQuality: recipe.TargetGood, KeepMetadata: true, Progressive: true}))
	if h, err := e.admit(kept.Data); err != nil || h.Scans < 2 || !bytes.Contains(kept.Data, []byte("Exif\x00\x00")) {
		t.Errorf("%d scans, or no metadata: %v", h.Scans, err)
	}
}

// A drawing is made without loss where that is smaller, and a photograph never is.
func TestDrawingsLoseNothing(t *testing.T) {
	e := engine(t)
	m := image.NewNRGBA(image.Rect(0, 0, 600, 400))
	for i := range 600 * 400 {
		m.Set(i%600, i/600, []color.Color{red, green, blue, yellow}[(i%600/37+i/600/29)%4])
	}
	data := encode(t, m)
	for _, o := range []recipe.Output{{Format: recipe.WebP, AutoQuality: recipe.TargetGood}, {Format: recipe.WebP, AutoQuality: recipe.TargetLow}} {
		if d := distance(t, m, e.look(t, e.make(t, data, as(o)))); d != 0 {
			t.Errorf("%s: a mean square of %v", o.AutoQuality, d)
		}
	}
	photo := e.look(t, e.make(t, load(t, "photo.jpg"), as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 300})))
	if d := distance(t, photo, e.look(t, e.make(t, load(t, "photo.jpg"), as(recipe.Output{Format: recipe.WebP, AutoQuality: recipe.TargetGood}, recipe.Resize{Width: 300})))); d == 0 {
		t.Error("a photograph lost nothing")
	}
}

// The highest quality that fits is found: the next one does not.
func TestResultKeepsToItsBytes(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	for _, f := range []recipe.Format{recipe.JPEG, recipe.WebP, recipe.AVIF} {
		var at [101][]byte
		for _, q := range []int{1, 29, 30, 31, 60, 70} {
			at[q] = e.make(t, data, as(recipe.Output{Format: f, Quality: q}, recipe.Resize{Width: 220})).Data
		}
		for _, c := range []struct {
			bytes, quality, want int
		}{{len(at[30]), 0, 30}, {len(at[31]) - 1, 0, 30}, {len(at[30]), 70, 30}, {len(at[70]), 60, 60}, {len(at[29]), 29, 29}} {
			r := e.make(t, data, as(recipe.Output{Format: f, Quality: c.quality, MaxBytes: int64(c.bytes)}, recipe.Resize{Width: 220}))
			if len(at[29]) >= len(at[30]) || len(at[30]) >= len(at[31]) {
				t.Fatalf("%s: the qualities do not differ", f)
			}
			if !bytes.Equal(r.Data, at[c.want]) {
				t.Errorf("%s of at most %d bytes with quality %d has %d, want the %d of quality %d", f, c.bytes, c.quality, len(r.Data), len(at[c.want]), c.want)
			}
		}
		_, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{as(recipe.Output{Format: f, MaxBytes: int64(len(at[1])) - 1}, recipe.Resize{Width: 220})}, nil)
		if fault.ReasonOf(err) != ResultTooLarge || !strings.Contains(err.Error(), fmt.Sprintf("%d bytes is the least", len(at[1]))) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestPNGKeepsToItsBytesByAPalette(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	full := e.make(t, data, as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 200})).Data
	few := e.make(t, data, as(recipe.Output{Format: recipe.PNG, Palette: true}, recipe.Resize{Width: 200})).Data
	for most, want := range map[int][]byte{len(full): full, len(full) - 1: few, len(few): few} {
		if r := e.make(t, data, as(recipe.Output{Format: recipe.PNG, MaxBytes: int64(most)}, recipe.Resize{Width: 200})); !bytes.Equal(r.Data, want) {
			t.Errorf("of at most %d bytes it has %d, want %d", most, len(r.Data), len(want))
		}
	}
	_, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{as(recipe.Output{Format: recipe.PNG, MaxBytes: int64(len(few)) - 1}, recipe.Resize{Width: 200})}, nil)
	if fault.ReasonOf(err) != ResultTooLarge {
		t.Errorf("less than a palette needs: %v", err)
	}
}

// BenchmarkSeek gives the table of docs/images.md: bytes and distance of the corpus' photographs, 1024 pixels wide, with a fixed quality and
// with those that are found.
func BenchmarkSeek(b *testing.B) {
	dir := os.Getenv("TEST_CORPUS")
	e := engine(b)
	files, _ := filepath.Glob(filepath.Join(dir, "photo", "*.jpg"))
	if len(files) == 0 {
		b.Fatal("TEST_CORPUS names no folder that has photographs in its folder photo")
	}
	for _, f := range []recipe.Format{recipe.JPEG, recipe.WebP, recipe.AVIF} {
		for _, target := range []recipe.Target{recipe.NoTarget, recipe.TargetBest, recipe.TargetGood, recipe.TargetEco, recipe.TargetLow} {
			b.Run(fmt.Sprintf("%s/%s", f, target), func(b *testing.B) {
				for range b.N {
					size, least, most, sum, took := 0, 1.0, 0.0, 0.0, 0.0
					for _, file := range files {
						data, err := os.ReadFile(file)
						if err != nil {
							b.Fatal(err)
						}
						began := processor(b)
						r := e.make(b, data, as(recipe.Output{Format: f, AutoQuality: target}, recipe.Resize{Width: 1024, Height: 1024}))
						took += processor(b) - began
						d := e.apart(b, e.make(b, data, as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 1024, Height: 1024})).Data, r.Data)
						size, sum, least, most = size+len(r.Data), sum+d, min(least, d), max(most, d)
					}
					n := float64(len(files))
					b.ReportMetric(float64(size)/n/1000, "kB")
					b.ReportMetric(1000*sum/n, "mDSSIM")
					b.ReportMetric(1000*least, "least")
					b.ReportMetric(1000*most, "most")
					b.ReportMetric(took/n, "cpu-ms/picture")
				}
			})
		}
	}
}

// processor gives the milliseconds of CPU that the process has had.
func processor(t testing.TB) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}

package pipeline

import (
	"bytes"
	"context"
	"errors"
	"image"
	_ "image/gif" // to look at results with
	"image/png"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// One target a loader, so that each has its own corpus and its own time.

func FuzzJPEG(f *testing.F) { fuzz(f, "*.jpg", nil) }
func FuzzPNG(f *testing.F)  { fuzz(f, "*.png", mended) }
func FuzzWebP(f *testing.F) { fuzz(f, "*.webp", nil) }
func FuzzGIF(f *testing.F)  { fuzz(f, "*.gif", nil) }
func FuzzAVIF(f *testing.F) { fuzz(f, "*.avif", nil) }
func FuzzHEIC(f *testing.F) { fuzz(f, "*.heic", nil) }
func FuzzTIFF(f *testing.F) { fuzz(f, "*.tif", nil) }
func FuzzBMP(f *testing.F)  { fuzz(f, "*.bmp", nil) }
func FuzzJXL(f *testing.F)  { fuzz(f, "*.jxl", nil) }
func FuzzSVG(f *testing.F)  { fuzz(f, "*.svg", nil) }
func FuzzPDF(f *testing.F)  { fuzz(f, "*.pdf", nil) }

// What one hostile file of at most 64 KiB may cost under the limits below. Seconds are the process's own, so that a busy machine is
// no finding; the deadline is the clock's.
const (
	fuzzDeadline = 4 * time.Second
	fuzzGrace    = time.Second
	fuzzMemory   = 256 << 10 // KiB by which the peak may grow
)

// tough is an engine for small pictures, whatever they say of themselves.
func tough(t testing.TB) *Engine {
	e := engine(t, func(l *Limits) {
		*l = Limits{Bytes: 64 * config.KiB, Side: 512, Pixels: 1 << 16, AnimationPixels: 1 << 17, Frames: 16, ScanPixels: 1 << 21, Scans: 100, Profile: config.MiB, Exif: config.MiB,
			Memory: 4 * config.MiB, OutputBytes: 4 * config.MiB}
	})
	e.allowed = probe.Guarded()
	e.allowed.allow()
	return e
}

// seeds are small files of a kind, each of which is taken as it is.
func (e *Engine) seeds(t testing.TB, names string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "seeds", names))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	seeds := map[string][]byte{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Inspect(t.Context(), data); err != nil {
			t.Fatalf("%s is no seed: %v", file, err)
		}
		seeds[filepath.Base(file)] = data
	}
	return seeds
}

// fuzz renders what becomes of the seeds: whatever a file holds, it is a picture of the size that was foreseen, or it is refused
// with a reason, in bounded time and memory.
func fuzz(f *testing.F, names string, mend func([]byte) []byte) {
	e := tough(f)
	for _, data := range e.seeds(f, names) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if mend != nil {
			data = mend(data)
		}
		before := usage(t)
		e.endure(t, data)
		after := usage(t)
		spent := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
		if spent > fuzzDeadline+fuzzGrace {
			t.Errorf("it took %v", spent)
		}
		if grown := after.Maxrss - before.Maxrss; grown > fuzzMemory {
			t.Errorf("it took %d MiB", grown>>10)
		}
	})
}

func usage(t *testing.T) (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// endure has small variants made: one that streams, and three from one decode of all frames.
func (e *Engine) endure(t *testing.T, data []byte) {
	ctx, cancel := context.WithTimeout(t.Context(), fuzzDeadline)
	defer cancel()
	pic, err := e.Inspect(ctx, data)
	if refused(t, err) {
		return
	}
	still, moving := recipe.Output{Format: recipe.PNG, Page: 1}, recipe.Output{Format: recipe.GIF}
	for _, set := range [][]recipe.Variant{
		{as(still, recipe.Crop{Width: 24, Height: 24})},
		{
			as(still, recipe.Resize{Mode: recipe.Limit, Width: 24, Height: 24}),
			as(still, recipe.Resize{Mode: recipe.Fill, Width: 16, Height: 16, Gravity: recipe.Auto}),
			as(moving, recipe.Resize{Mode: recipe.Fit, Width: 40, Height: 40}),
		},
	} {
		done, err := e.Render(ctx, job.Input{Data: data}, set, nil)
		if refused(t, err) {
			continue
		}
		for i, r := range done {
			want, err := foresee(set[i].Steps, size{pic.Width, pic.Height})
			got, _, broken := image.DecodeConfig(bytes.NewReader(r.Data))
			if err != nil || broken != nil || (size{r.Width, r.Height}) != want.out || (size{got.Width, got.Height}) != want.out {
				t.Errorf("%d x %d became %d x %d, by the %s itself %d x %d, foreseen %v: %v, %v", pic.Width, pic.Height, r.Width, r.Height, r.Format,
					got.Width, got.Height, want.out, err, broken)
			}
			if r.Format == "png" {
				if _, err := png.Decode(bytes.NewReader(r.Data)); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// refused reports whether an operation ended in one of the ways in which it may fail.
func refused(t *testing.T, err error) bool {
	if err != nil && (!fault.Is(err, fault.Invalid) || fault.ReasonOf(err) == "") && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("refused by %v", err)
	}
	return err != nil
}

package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// photograph gives one of 24 megapixels of a camera where TEST_CORPUS names a folder of them, else one of 10 that is enlarged.
func photograph(t *testing.T, e *Engine) []byte {
	t.Helper()
	if dir := os.Getenv("TEST_CORPUS"); dir != "" {
		data, err := os.ReadFile(filepath.Join(dir, "photo", "iphone13_24.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	return e.make(t, load(t, "photo.jpg"), variant(recipe.JPEG, recipe.Resize{Mode: recipe.Fit, Width: 3600})).Data
}

// stop renders, cancels a while after the pixels are begun with, and gives how long the end took then; cut is false when the work was done
// before.
func stop(t *testing.T, e *Engine, data []byte, set []recipe.Variant, after time.Duration) (took time.Duration, cut bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cancelled := make(chan time.Time, 1)
	begun := sync.OnceFunc(func() {
		time.AfterFunc(after, func() {
			cancelled <- time.Now()
			cancel()
		})
	})
	_, err := e.Render(ctx, job.Input{Data: data}, set, func(job.Progress) { begun() })
	ended := time.Now()
	if err != nil && !fault.Is(err, fault.Canceled) {
		t.Errorf("cancelled, it says %v", err)
	}
	return max(0, ended.Sub(<-cancelled)), err != nil
}

// Whatever runs, it ends long before its time when nobody wants it any more. What one call of a library does in one piece does not:
// it is here to say how long that is.
func TestCancelStopsWhatRuns(t *testing.T) {
	e := engine(t)
	large := photograph(t, e)
	middle := e.make(t, large, variant(recipe.JPEG, recipe.Resize{Width: 2000})).Data
	as := func(f recipe.Format, steps ...recipe.Step) []recipe.Variant {
		return []recipe.Variant{variant(f, steps...)}
	}
	blurs := slices.Repeat([]recipe.Step{recipe.Blur{Sigma: 5.5}}, 3)
	for _, c := range []struct {
		name  string
		data  []byte
		set   []recipe.Variant
		whole bool // one piece
	}{
		{"decode for many", large, []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 2900}), variant(recipe.JPEG, recipe.Resize{Width: 300})}, false},
		{"decode and encode row by row", large, as(recipe.JPEG), false},
		{"reduce", large, as(recipe.JPEG, recipe.Resize{Width: 3000}), false},
		{"enlarge", large, as(recipe.JPEG, recipe.Resize{Mode: recipe.Fit, Width: 6200}), false},
		{"blur", large, as(recipe.JPEG, blurs...), false},
		{"colours, squares and corners", large, as(recipe.JPEG, recipe.Adjust{Effect: recipe.Hue, Amount: 90}, recipe.Pixelate{Size: 9}, recipe.Frame{Round: true}), false},
		{"texts", large, as(recipe.JPEG, watermark(400, recipe.Overlay{Angle: 30, Tiled: true, Opacity: 40}), watermark(90, recipe.Overlay{})), false},
		{"what draws the eye", large, as(recipe.JPEG, recipe.Resize{Mode: recipe.Fill, Width: 3000, Height: 1000, Gravity: recipe.Auto}), false},
		{"what has most in it", large, as(recipe.JPEG, recipe.Resize{Mode: recipe.Fill, Width: 3000, Height: 1000, Gravity: recipe.Entropy}), false},
		{"gradient", large, as(recipe.JPEG, slices.Repeat([]recipe.Step{recipe.Gradient{Angle: 20, From: "ff000080", To: "0000ff80"}}, 8)...), false},
		{"lightness, noise and neighbours", large, as(recipe.JPEG, equalized, noisy(30), embossed), false},
		{"PNG", large, as(recipe.PNG, recipe.Resize{Width: 2500}), false},
		{"WebP", large, as(recipe.WebP, recipe.Resize{Width: 3500}), true}, // libvips asks while it encodes from 8.15 on
		{"AVIF", middle, as(recipe.AVIF), true},
		{"GIF", middle, as(recipe.GIF, recipe.Resize{Width: 600}), true},
	} {
		began := time.Now()
		if _, err := e.Render(t.Context(), job.Input{Data: c.data}, c.set, nil); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		full := time.Since(began)
		early, cut := stop(t, e, c.data, c.set, 0)
		late, _ := stop(t, e, c.data, c.set, full/3)
		t.Logf("%-30s %6v; cancelled at its beginning %6v, in the middle %6v", c.name, full.Round(time.Millisecond), early.Round(time.Millisecond),
			late.Round(time.Millisecond))
		if !cut || early > full/2+100*time.Millisecond || !c.whole && late > full/2+100*time.Millisecond {
			t.Errorf("%s takes %v, and cancelled %v and %v", c.name, full, early, late)
		}
	}
}

// Formats that decode everything at the first row are stopped between two pieces of their bytes.
func TestCancelStopsGreedyDecoders(t *testing.T) {
	engine(t)
	for _, name := range []string{"progressive.jpg", "photo.heic", "photo.avif"} {
		data := load(t, name)
		h, err := probe.Read(data)
		if err != nil || !greedy(h) {
			t.Fatalf("%s: %+v, %v", name, h, err)
		}
		r, release := hold(t.Context())
		a, pin := r.arena(), new(runtime.Pinner)
		im := open(a, pin, data, h, reading{frames: 1})
		r.pull()
		if !im.ok() || im.read() {
			t.Errorf("%s was read though nobody wants it, or could not be opened: %v", name, a.err)
		}
		a.free()
		pin.Unpin()
		release()
	}
}

// Nothing that was read after the end is taken for a picture, at whatever moment it comes.
func TestCancelGivesNoFalsePictures(t *testing.T) {
	e := engine(t)
	set := []recipe.Variant{variant(recipe.PNG, recipe.Resize{Width: 64})}
	for _, name := range []string{"photo.jpg", "progressive.jpg", "photo.heic", "photo.avif", "photo.webp", "alpha.png", "walk.gif", "small.tif"} {
		data := load(t, name)
		began := time.Now()
		want := e.make(t, data, set[0])
		full := time.Since(began)
		for i := range 40 {
			ctx, cancel := context.WithTimeout(t.Context(), full*time.Duration(i)/40)
			done, err := e.Render(ctx, job.Input{Data: data}, set, nil)
			switch {
			case err == nil && string(done[0].Data) != string(want.Data):
				t.Errorf("%s: another picture", name)
			case err != nil && !fault.Is(err, fault.Deadline):
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
	}
}

// Cancelled or not, no goroutine is left of a call; what libvips holds is counted in TestNothingLeaks.
func TestCancelLeavesNothing(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	set := []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 900}, recipe.Blur{Sigma: 5}), variant(recipe.WebP, recipe.Resize{Width: 300})}
	e.make(t, data, set[0])
	goroutines := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*3*time.Millisecond)
			defer cancel()
			_, _ = e.Render(ctx, job.Input{Data: data}, set, func(job.Progress) {})
		})
		if i%4 == 3 {
			wg.Wait()
		}
	}
	wg.Wait()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

// What is told begins with a phase, goes up and comes nearly to the end.
func TestProgress(t *testing.T) {
	e := engine(t)
	var told []job.Progress
	set := []recipe.Variant{
		variant(recipe.JPEG, recipe.Resize{Mode: recipe.Fit, Width: 5000}, recipe.Blur{Sigma: 5.5}, recipe.Blur{Sigma: 5.5}),
		variant(recipe.JPEG, recipe.Resize{Width: 300}),
	}
	if _, err := e.Render(t.Context(), job.Input{Data: load(t, "photo.jpg")}, set, func(p job.Progress) { told = append(told, p) }); err != nil {
		t.Fatal(err)
	}
	for i, p := range told {
		if p.Percent < 0 || p.Percent > 100 || i > 0 && p.Percent < told[i-1].Percent {
			t.Errorf("told %v", told)
			break
		}
	}
	if told[0] != (job.Progress{Phase: decoding}) || told[len(told)-1].Phase != rendering || told[len(told)-1].Percent < 66 {
		t.Errorf("told %v", told)
	}
	if between := slices.ContainsFunc(told, func(p job.Progress) bool { return p.Percent > 33 && p.Percent < 66 }); !between {
		t.Errorf("nothing was told of the variant while it was made: %v", told)
	}
}

//go:build linux

package isolation_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/isolation"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
)

// set is what is made of every picture: all formats, and operations of every family.
func set(t testing.TB) []recipe.Variant {
	t.Helper()
	var out []recipe.Variant
	for i, options := range []string{"w_64,f_jpeg", "w_64,f_png", "w_64,f_webp", "w_64,f_gif", "w_48,f_avif", "c_fill,w_40,h_30,g_auto,f_webp/e_blur:2",
		"c_pad,w_60,h_60,b_blurred,f_jpeg", "w_50,f_png,fl_png8", "w_50,f_png/e_equalize/e_rgb:20:-20:0/e_noise:30/e_convolve:0:-1:0:-1:5:-1:0:-1:0", "c_scale,w_40,h_40,f_jpeg,q_90/e_sepia/r_max"} {
		v, err := recipe.Parse(options)
		if err != nil {
			t.Fatal(err)
		}
		v.Name = fmt.Sprintf("v%d", i)
		r, err := recipe.Recipe{Variants: []recipe.Variant{v}}.Resolve(recipe.Source{Format: "jpeg"})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Variants...)
	}
	return out
}

// Whatever the engine says of a picture, or makes of it, comes out of a helper as it is, errors included.
func TestSameAsInProcess(t *testing.T) {
	w := begin(t, func(o *isolation.Options) { o.Renders = 2 })
	e, err := pipeline.New(pipeline.Config{Limits: pipeline.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	here := direct{e}
	files, err := filepath.Glob("../../../../test/pictures/*.*")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := filepath.Glob("../../../../test/pictures/bad/*")
	if files = append(files, bad...); err != nil || len(bad) == 0 || len(files) < 25 {
		t.Fatal(files, err)
	}
	variants := set(t)
	var wg sync.WaitGroup
	turns := make(chan struct{}, 2)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			wantPic, wantErr := here.Inspect(t.Context(), data)
			pic, err := w.Inspect(t.Context(), data)
			if pic != wantPic || !same(err, wantErr) {
				t.Errorf("%s: %+v, %v, in process %+v, %v", file, pic, err, wantPic, wantErr)
			}
			want, wantErr := here.Render(t.Context(), job.Input{Data: data}, variants, nil)
			made, err := w.Render(t.Context(), job.Input{Data: data}, variants, nil)
			if !same(err, wantErr) || len(made) != len(want) {
				t.Errorf("%s: %d, %v, in process %d, %v", file, len(made), err, len(want), wantErr)
				return
			}
			for i := range made {
				if !reflect.DeepEqual(made[i], want[i]) {
					t.Errorf("%s, %s: another result; the bytes are the same: %v", file, made[i].Name, bytes.Equal(made[i].Data, want[i].Data))
				}
			}
		})
	}
	wg.Wait()
}

func same(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	x, y := fault.As(a), fault.As(b)
	return a.Error() == b.Error() && x.Kind == y.Kind && x.Reason == y.Reason && reflect.DeepEqual(x.Fields, y.Fields) && variantOf(a) == variantOf(b)
}

func variantOf(err error) string {
	var v interface{ VariantName() string }
	if errors.As(err, &v) {
		return v.VariantName()
	}
	return ""
}

// What an input and an answer are made of is known here: something new has to be carried, too.
func TestEverythingIsCarried(t *testing.T) {
	for _, c := range []struct {
		of   any
		want int
	}{{job.Input{}, 3}, {worker.Rendered{}, 7}, {fault.Error{}, 6}} {
		if n := reflect.TypeOf(c.of).NumField(); n != c.want {
			t.Errorf("%T has %d fields, %d are carried to and from helpers", c.of, n, c.want)
		}
	}
}

// What the engine observes is told, and new limits count from the next call on.
func TestObservationsAndSettings(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	w := begin(t, func(o *isolation.Options) {
		o.Observe = func(op, format string, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if seen[op+" "+format]++; took <= 0 {
				t.Errorf("%s took %v", op, took)
			}
		}
	})
	w.works(t)
	if seen["decode jpeg"] == 0 || seen["encode png"] == 0 {
		t.Errorf("observed %v", seen)
	}
	w.mu.Lock()
	w.cfg.Limits.Side = 50
	w.mu.Unlock()
	if _, err := w.Inspect(t.Context(), picture(t, "photo.jpg")); fault.ReasonOf(err) != "IMAGE_TOO_LARGE" {
		t.Errorf("of a picture that is too large now: %v", err)
	}
}

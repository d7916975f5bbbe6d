package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"calotype/services/image/internal/recipe"
)

func TestLatency(t *testing.T) {
	dir := os.Getenv("TEST_CORPUS")
	e := engine(t)
	read := func(n string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	full := recipe.Resize{Width: 1 << 14}
	_ = full
	big := "photo/iphone13_24.jpg"
	cases := []struct {
		name, file string
		v          []recipe.Variant
	}{
		{"jpeg full", big, []recipe.Variant{variant(recipe.JPEG)}},
		{"jpeg to 2000 held", big, []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 2000}), variant(recipe.JPEG, recipe.Resize{Width: 500})}},
		{"jpeg 300", big, []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 300})}},
		{"enlarge", "photo/phone12.jpg", []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Mode: recipe.Fit, Width: 9000})}},
		{"blur", big, []recipe.Variant{variant(recipe.JPEG, recipe.Blur{Sigma: 5.5})}},
		{"rotate", big, []recipe.Variant{variant(recipe.JPEG, recipe.Rotate{Angle: 90})}},
		{"auto", big, []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Mode: recipe.Fill, Width: 2000, Height: 1000, Gravity: recipe.Auto})}},
		{"png enc", big, []recipe.Variant{variant(recipe.PNG, recipe.Resize{Width: 3000})}},
		{"webp enc", big, []recipe.Variant{variant(recipe.WebP, recipe.Resize{Width: 3000})}},
		{"webp lossless", "photo/autumn.jpg", []recipe.Variant{{Name: "v", Output: recipe.Output{Format: recipe.WebP, Lossless: true}}}},
		{"avif enc", big, []recipe.Variant{variant(recipe.AVIF, recipe.Resize{Width: 2500})}},
		{"gif enc", "photo/storm.jpg", []recipe.Variant{variant(recipe.GIF)}},
		{"gif big", "photo/jolla.jpg", []recipe.Variant{variant(recipe.GIF)}},
		{"anim webp", "anim/demo.gif", []recipe.Variant{variant(recipe.WebP)}},
		{"anim gif", "anim/earth.gif", []recipe.Variant{variant(recipe.GIF, recipe.Resize{Width: 300})}},
		{"progressive", "variant/progressive12.jpg", []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 300})}},
		{"heic", "variant/iphone13.heic", []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 300})}},
		{"avif dec", "variant/hato10.avif", []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 300})}},
		{"webp dec", "variant/photo-ll.webp", []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 300})}},
		{"png16 dec", "variant/photo16.png", []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 300})}},
		{"tiff dec", "variant/photo.tif", []recipe.Variant{variant(recipe.JPEG, recipe.Resize{Width: 300})}},
	}
	for _, c := range cases {
		data := read(c.file)
		began := time.Now()
		if _, err := e.Render(t.Context(), data, c.v); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		whole := time.Since(began)
		var worst, sum time.Duration
		worstAt := 0
		n := 0
		for at := 5; at < 100; at += 10 {
			ctx, cancel := context.WithCancel(t.Context())
			var when time.Time
			done := make(chan struct{})
			time.AfterFunc(whole*time.Duration(at)/100, func() { when = time.Now(); cancel(); close(done) })
			_, err := e.Render(ctx, data, c.v)
			end := time.Now()
			<-done
			if err == nil {
				continue
			}
			took := end.Sub(when)
			sum += took
			n++
			if took > worst {
				worst, worstAt = took, at
			}
		}
		t.Logf("%-20s whole %6v  worst %6v at %d%%  mean %6v (%d)", c.name, whole.Round(time.Millisecond), worst.Round(time.Millisecond), worstAt, (sum / time.Duration(max(n, 1))).Round(time.Millisecond), n)
	}
}

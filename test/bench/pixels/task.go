// Package pixels is what the benchmarks of pictures have together: what is made of which originals, libvips alone and sharp to compare with,
// and a table of all who made the same in turns.
package pixels

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Task is what is made of each original.
type Task struct {
	Name   string
	Kind   string  // of the originals: a folder of the corpus
	Shapes []Shape // several are one set
	Rounds int     // through all originals in one turn
	At     []int   // callers at once; nil is 1, 2 and 8
}

// Shape is one picture to make, in the words of everyone who makes it.
type Shape struct {
	Options       string // Calotype's, with f_
	Width, Height int    // a height is one of a square, cut around what draws attention
	Format        string
	Quality       int
	bare          string // see bare.c
	sharp         string // see sharp.js
}

// shape has equal settings on all sides: those of pipeline's codecs.
func shape(width, height int, format string) Shape {
	options := fmt.Sprintf("w_%d", width)
	box, crop := height, 1
	if height > 0 {
		options += fmt.Sprintf(",h_%d,c_fill,g_auto", height)
	} else {
		box, crop = 100000, 0
	}
	end := map[string]string{
		"jpeg": ".jpg[Q=80,optimize_coding,strip]", "webp": ".webp[Q=80,effort=2,strip]", "avif": ".avif[Q=55,effort=1,strip]",
	}[format]
	quality := map[string]int{"jpeg": 80, "webp": 80, "avif": 55}[format]
	return Shape{
		Width: width, Height: height, Format: format, Quality: quality,
		Options: fmt.Sprintf("%s,f_%s,q_%d", options, format, quality),
		bare:    fmt.Sprintf("%d:%d:%d:%s", width, box, crop, end),
		sharp:   fmt.Sprintf("%d/%d/%s/%d", width, height, format, quality),
	}
}

// Tasks are single pictures.
func Tasks() []Task {
	return []Task{
		{Name: "JPEG 512", Kind: "photo", Shapes: []Shape{shape(512, 0, "jpeg")}, Rounds: 2},
		{Name: "WebP 512", Kind: "photo", Shapes: []Shape{shape(512, 0, "webp")}, Rounds: 1},
		{Name: "AVIF 512", Kind: "photo", Shapes: []Shape{shape(512, 0, "avif")}, Rounds: 1},
		{Name: "smart 256", Kind: "photo", Shapes: []Shape{shape(256, 256, "jpeg")}, Rounds: 1},
		{Name: "PNG alpha to WebP 512", Kind: "alpha", Shapes: []Shape{shape(512, 0, "webp")}, Rounds: 1},
	}
}

// Set is a picture for every place of a page: one call here, as many calls elsewhere.
func Set() Task {
	return Task{Name: "set of 6", Kind: "photo", Rounds: 1, Shapes: []Shape{
		shape(320, 0, "jpeg"), shape(640, 0, "jpeg"), shape(960, 0, "jpeg"), shape(1280, 0, "jpeg"), shape(256, 256, "jpeg"), shape(64, 0, "webp"),
	}}
}

func (t Task) callers() []int {
	if t.At == nil {
		return []int{1, 2, 8}
	}
	return t.At
}

// Originals lists the files of a kind: of the folder that TEST_CORPUS names, or of shared/corpus beside the checkout, or, where there is
// none, of the checkout's own pictures.
func Originals(tb testing.TB, kind string) []string {
	tb.Helper()
	root := checkout(tb)
	dir := cmp.Or(os.Getenv("TEST_CORPUS"), filepath.Join(root, "..", "shared", "corpus"))
	files, err := filepath.Glob(filepath.Join(dir, kind, "*.*"))
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		tb.Logf("%s has no %s: one small picture stands in", dir, kind)
		files = []string{filepath.Join(root, "test", "pictures", map[string]string{"photo": "photo.jpg", "alpha": "alpha.png"}[kind])}
	}
	slices.Sort(files)
	return files
}

func checkout(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatal("this is no checkout: there is no go.work above it")
	return ""
}

func joined(shapes []Shape, of func(Shape) string) string {
	var all []string
	for _, s := range shapes {
		all = append(all, of(s))
	}
	return strings.Join(all, ";")
}

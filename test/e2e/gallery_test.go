package e2e

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	imagev1 "calotype/proto/image/v1"
)

var update = flag.Bool("update", false, "write the pictures of docs/images.md anew")

// pictured finds the pictures of a document, each with the options that it was made with below it.
var pictured = regexp.MustCompile("!\\[[^]]*\\]\\(pictures/([a-z0-9-]+\\.[a-z0-9]+)\\)<br>`([^`]+)`")

// alike is how far a picture of the document may be from what its options give today, in levels of 255, on the average: codecs differ a
// little from version to version, and a picture that shows something else is much further away.
const alike = 4

// TestGallery makes every picture that docs/images.md shows as its options say, and looks whether it is still that.
func TestGallery(t *testing.T) {
	s := up(t, t.TempDir())
	folder := filepath.Join(root, "docs", "pictures")
	text, err := os.ReadFile(filepath.Join(root, "docs", "images.md"))
	if err != nil {
		t.Fatal(err)
	}
	id := keep(t, s, filepath.Join(folder, "original.jpg"))
	logo := keep(t, s, filepath.Join(root, "test", "pictures", "alpha.png"))
	shown := map[string]string{"original.jpg": "", "README.md": ""}
	for _, found := range pictured.FindAllStringSubmatch(string(text), -1) {
		name, options := found[1], found[2]
		if before, twice := shown[name]; twice {
			t.Errorf("%s shows both %s and %s", name, before, options)
		}
		shown[name] = options
		t.Run(name, func(t *testing.T) {
			a, err := send(within(t), http.MethodGet, s.base+"/i/"+strings.ReplaceAll(options, "$LOGO", logo)+"/"+id+filepath.Ext(name), nil, nil)
			if err != nil || a.status != http.StatusOK {
				t.Fatalf("%s: %d %s %v", options, a.status, a.body, err)
			}
			file := filepath.Join(folder, name)
			if *update {
				if err := os.WriteFile(file, a.body, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			kept, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v; `make gallery` makes it", err)
			}
			if d := distance(t, kept, a.body); d > alike {
				t.Errorf("%s gives another picture than the document shows, by %.1f levels; `make gallery` makes it anew", options, d)
			}
		})
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, known := shown[e.Name()]; !known {
			t.Errorf("docs/images.md does not show %s", e.Name())
		}
	}
}

// keep uploads a file and gives the image's identifier.
func keep(t *testing.T, s *suite, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := upload(within(t), s.base, "", url.Values{}, b)
	if err != nil {
		t.Fatal(err)
	}
	made := &imagev1.CreateImageResponse{}
	read(t, a, http.StatusCreated, made)
	return made.Image.Id
}

// distance is how far two pictures are from each other: the mean difference of their colours, in levels of 255.
func distance(t *testing.T, a, b []byte) float64 {
	t.Helper()
	var pics [2]image.Image
	for i, data := range [][]byte{a, b} {
		im, _, err := image.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		pics[i] = im
	}
	r := pics[0].Bounds()
	if r != pics[1].Bounds() {
		t.Fatalf("one is of %v pixels, the other of %v", r.Size(), pics[1].Bounds().Size())
	}
	sum := 0.0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			sum += apart(pics[0].At(x, y), pics[1].At(x, y))
		}
	}
	return sum / float64(r.Dx()*r.Dy())
}

func apart(a, b color.Color) float64 {
	r1, g1, b1, a1 := a.RGBA()
	r2, g2, b2, a2 := b.RGBA()
	d := 0.0
	for _, pair := range [][2]uint32{{r1, r2}, {g1, g2}, {b1, b2}, {a1, a2}} {
		d += math.Abs(float64(pair[0])-float64(pair[1])) / 257
	}
	return d / 4
}

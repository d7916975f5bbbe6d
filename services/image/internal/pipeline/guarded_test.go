package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// unguarded is an engine that takes every format.
func unguarded(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Config{Limits: DefaultLimits(), Formats: probe.Guarded()})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const quartered = `<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://127.0.0.1:9/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10" viewBox="0 0 20 10">
<rect width="10" height="5" fill="#dc2828"/><rect x="10" width="10" height="5" fill="#28b43c"/>
<rect y="5" width="10" height="5" fill="#2846d2"/><rect x="10" y="5" width="10" height="5" fill="#f0d232"/></svg>`

// document is a PDF of two pages of 100 x 50 and 40 x 80 points: the first red, the second blue.
func document() []byte {
	var b bytes.Buffer
	var at []int
	object := func(text string) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj %s endobj\n", len(at), text)
	}
	b.WriteString("%PDF-1.4\n")
	object("<</Type/Catalog/Pages 2 0 R>>")
	object("<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>")
	object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 50]/Contents 5 0 R>>")
	object("<</Type/Page/Parent 2 0 R/MediaBox[0 0 40 80]/Contents 6 0 R>>")
	for _, c := range []string{"0.863 0.157 0.157", "0.157 0.275 0.824"} {
		draw := c + " rg 0 0 200 200 re f"
		object(fmt.Sprintf("<</Length %d>>stream\n%s\nendstream", len(draw), draw))
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, start)
	return b.Bytes()
}

// bitmap makes a BMP.
func bitmap(m image.Image, bits int, down bool) []byte {
	s := m.Bounds().Size()
	stride := (s.X*bits + 31) / 32 * 4
	head := make([]byte, 54)
	copy(head, "BM")
	high := s.Y
	if down {
		high = -high
	}
	for at, v := range map[int]int{2: 54 + stride*s.Y, 10: 54, 14: 40, 18: s.X, 22: high} {
		binary.LittleEndian.PutUint32(head[at:], uint32(int32(v)))
	}
	head[26], head[28] = 1, byte(bits)
	rows := make([]byte, stride*s.Y)
	for y := range s.Y {
		for x := range s.X {
			to := y
			if !down {
				to = s.Y - 1 - y
			}
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			copy(rows[to*stride+x*bits/8:], []byte{c.B, c.G, c.R})
		}
	}
	return append(head, rows...)
}

func TestGuardedFormatsMustBeAllowed(t *testing.T) {
	all := unguarded(t) // the library takes them now
	jxl := all.make(t, load(t, "photo.jpg"), variant(recipe.JXL, recipe.Resize{Width: 64})).Data
	for name, data := range map[string][]byte{"svg": []byte(quartered), "pdf": document(), "jxl": jxl} {
		if _, err := engine(t).Inspect(t.Context(), data); fault.ReasonOf(err) != probe.Unsupported {
			t.Errorf("%s without leave: %v", name, err)
		}
		if pic, err := all.Inspect(t.Context(), data); err != nil || pic.Format != name || pic.ContentType != probe.ContentType(name) {
			t.Errorf("%s: %+v, %v", name, pic, err)
		}
	}
	if _, err := New(Config{Limits: DefaultLimits(), Formats: Formats{"svg", "psd"}}); err == nil || len(fault.As(err).Fields) != 1 {
		t.Errorf("psd: %v", err)
	}
	for _, f := range all.Abilities().Formats {
		if f.Name == "svg" && !f.Read {
			t.Errorf("%+v", f)
		}
	}
}

// A drawing is made at the size that is wanted, so that nothing of it is enlarged; other variants of the set get theirs.
func TestDrawingsAreMadeAtTheirSize(t *testing.T) {
	e := unguarded(t)
	set := []recipe.Variant{
		variant(recipe.PNG, recipe.Resize{Mode: recipe.Fit, Width: 400}), variant(recipe.PNG), variant(recipe.PNG, recipe.Resize{Width: 8}),
		variant(recipe.PNG, recipe.Crop{Width: 10, Height: 10}, recipe.Resize{Mode: recipe.Fit, Width: 100}), variant(recipe.PNG, recipe.Blur{Sigma: 0.3}),
	}
	for i, want := range []image.Point{{400, 200}, {20, 10}, {8, 4}, {100, 100}, {20, 10}} {
		for _, r := range [][]recipe.Variant{set, set[i : i+1]} {
			done, err := e.Render(t.Context(), job.Input{Data: []byte(quartered)}, r, nil)
			if err != nil {
				t.Fatal(err)
			}
			m := e.look(t, done[i%len(r)])
			if m.Bounds().Size() != want {
				t.Errorf("variant %d is %v, want %v", i, m.Bounds().Size(), want)
			}
			if i == 0 { // sharp to the pixel
				at(t, m, 198, 98, red)
				at(t, m, 201, 101, yellow)
			}
			if i != 2 { // of so few pixels none is far from an edge
				quarters(t, m, red, green, blue, yellow)
			}
		}
	}
	done, err := e.Render(t.Context(), job.Input{Data: document()}, []recipe.Variant{
		as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Mode: recipe.Fit, Width: 300}), as(recipe.Output{Format: recipe.PNG, Page: 2}),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []image.Point{{300, 150}, {40, 80}} {
		m := e.look(t, done[i])
		if m.Bounds().Size() != want {
			t.Errorf("page %d is %v", i+1, m.Bounds().Size())
		}
		at(t, m, 20, 20, []color.NRGBA{red, blue}[i])
	}
	if _, err := e.Render(t.Context(), job.Input{Data: document()}, []recipe.Variant{as(recipe.Output{Format: recipe.PNG, Page: 3})}, nil); fault.ReasonOf(err) != NoSuchPage {
		t.Errorf("page 3: %v", err)
	}
}

// What is hostile is refused, or made within a bound; nothing outside of the file is read.
func TestHostileDrawings(t *testing.T) {
	e := unguarded(t)
	secret := filepath.Join(t.TempDir(), "secret.png")
	if err := os.WriteFile(secret, e.make(t, load(t, "orientation-1.jpg"), variant(recipe.PNG)).Data, 0o600); err != nil {
		t.Fatal(err)
	}
	page := func(body string) []byte {
		return []byte(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="20" height="20">` + body + `</svg>`)
	}
	for _, ref := range []string{"file://" + secret, secret, "http://127.0.0.1:9/x.png"} {
		m := e.look(t, e.make(t, page(`<image xlink:href="`+ref+`" href="`+ref+`" width="20" height="20"/>`), variant(recipe.PNG)))
		if _, _, _, a := m.At(5, 5).RGBA(); a != 0 {
			t.Errorf("%s was loaded", ref)
		}
	}
	for name, data := range map[string][]byte{
		"entities": []byte(`<!DOCTYPE svg [<!ENTITY a "b">]>` + quartered[strings.Index(quartered, "<svg"):]),
		"UTF-7":    []byte(`<?xml version="1.0" encoding="UTF-7"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`),
		"page":     []byte(`<!doctype html><html><svg width="9" height="9"/></html>`),
		"huge":     []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="900000" height="900000"/>`),
		"cut":      []byte(quartered[:len(quartered)-40]), "cut PDF": document()[:300],
	} {
		if _, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{variant(recipe.PNG)}, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if dir := os.Getenv("TEST_CORPUS"); dir != "" {
		files, _ := filepath.Glob(filepath.Join(dir, "bad", "svg*"))
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			began := time.Now()
			_, err = e.Render(ctx, job.Input{Data: data}, []recipe.Variant{variant(recipe.PNG, recipe.Resize{Width: 500})}, nil)
			t.Logf("%s: %v after %v", filepath.Base(file), err, time.Since(began).Round(time.Millisecond))
			cancel()
		}
	}
}

func TestBitmaps(t *testing.T) {
	e := engine(t)
	m := e.look(t, e.make(t, load(t, "orientation-1.jpg"), variant(recipe.PNG, recipe.Resize{Mode: recipe.Scale, Width: 33, Height: 20})))
	for _, bits := range []int{24, 32} {
		for _, down := range []bool{false, true} {
			data := bitmap(m, bits, down)
			got := e.look(t, e.make(t, data, variant(recipe.PNG)))
			if d := distance(t, m, got); d != 0 {
				t.Errorf("%d bits, %v: a mean square of %v", bits, down, d)
			}
			if r := e.make(t, data, variant(recipe.Original, recipe.Resize{Width: 10})); r.Format != "jpeg" || r.Width != 10 {
				t.Errorf("it became %s of %d", r.Format, r.Width)
			}
			if _, err := e.Inspect(t.Context(), data[:len(data)-1]); fault.ReasonOf(err) != probe.Broken {
				t.Errorf("cut off: %v", err)
			}
		}
	}
	data := bitmap(m, 24, false)
	data[30] = 1 // RLE
	if _, err := e.Inspect(t.Context(), data); fault.ReasonOf(err) != probe.Unsupported {
		t.Errorf("compressed: %v", err)
	}
}

// What is written as JPEG XL and as TIFF is the picture, and without loss exactly.
func TestJXLAndTIFF(t *testing.T) {
	e := unguarded(t)
	for _, name := range []string{"photo.jpg", "alpha.png", "gray.jpg"} {
		want := e.look(t, e.make(t, load(t, name), variant(recipe.PNG, recipe.Resize{Width: 120})))
		for _, c := range []struct {
			out recipe.Output
			far float64
		}{
			{recipe.Output{Format: recipe.TIFF}, 0}, {recipe.Output{Format: recipe.JXL, Lossless: true}, 0},
			{recipe.Output{Format: recipe.JXL, Quality: 95}, 30}, {recipe.Output{Format: recipe.JXL}, 150}, {recipe.Output{Format: recipe.JXL, Quality: 1}, 2500},
		} {
			r := e.make(t, load(t, name), as(c.out, recipe.Resize{Width: 120}))
			h, err := probe.Read(r.Data, probe.Guarded()...)
			if err != nil || h.Format != r.Format || h.Width != r.Width || h.Height != r.Height || r.ContentType != h.ContentType {
				t.Fatalf("%s: %+v, %v", name, h, err)
			}
			if d := visible(want, e.look(t, r)); d > c.far {
				t.Errorf("%s as %+v: a mean square of %.1f", name, c.out, d)
			}
		}
	}
	_, err := e.Render(t.Context(), job.Input{Data: load(t, "photo.jpg")}, []recipe.Variant{variant(recipe.JXL, recipe.Resize{Mode: recipe.Fit, Width: 3000})}, nil)
	if fault.ReasonOf(err) != ResultTooLarge {
		t.Errorf("6.75 megapixels as jxl: %v", err)
	}
}

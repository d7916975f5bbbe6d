package pipeline

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

// as is a variant with an output.
func as(o recipe.Output, steps ...recipe.Step) recipe.Variant {
	return recipe.Variant{Name: "v", Steps: steps, Output: o}
}

// distance is the mean square of the differences of two pictures' colours and opacity.
func distance(t testing.TB, a, b image.Image) float64 {
	t.Helper()
	if a.Bounds().Size() != b.Bounds().Size() {
		t.Fatalf("%v is not of the size of %v", a.Bounds(), b.Bounds())
	}
	sum, n, s := 0.0, 0, a.Bounds().Size()
	for y := range s.Y {
		for x := range s.X {
			p, q := color.NRGBAModel.Convert(a.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(b.At(x, y)).(color.NRGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B), int(p.A) - int(q.A)} {
				sum, n = sum+float64(d*d), n+1
			}
		}
	}
	return sum / float64(n)
}

// Progressive or not, the pixels are the same: only their order in the file differs.
func TestProgressive(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	for f, wait := range map[recipe.Format]func([]byte) bool{
		recipe.JPEG: func(b []byte) bool { h, err := probe.Read(b); return err == nil && h.Scans > 1 },
		recipe.PNG:  func(b []byte) bool { return b[28] == 1 },
	} {
		plain := e.make(t, data, as(recipe.Output{Format: f}, recipe.Resize{Width: 300}))
		coarse := e.make(t, data, as(recipe.Output{Format: f, Progressive: true}, recipe.Resize{Width: 300}))
		if wait(plain.Data) || !wait(coarse.Data) {
			t.Errorf("%s: the first is progressive, or the second is not", f)
		}
		if d := distance(t, e.look(t, plain), e.look(t, coarse)); d != 0 {
			t.Errorf("%s: the pixels differ by a mean square of %v", f, d)
		}
	}
}

func TestPalette(t *testing.T) {
	e := engine(t)
	for _, name := range []string{"photo.jpg", "alpha.png"} {
		full := e.make(t, load(t, name), as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 200}))
		few := e.make(t, load(t, name), as(recipe.Output{Format: recipe.PNG, Palette: true}, recipe.Resize{Width: 200}))
		m, err := png.Decode(bytes.NewReader(few.Data))
		if err != nil {
			t.Fatal(err)
		}
		p, ok := m.(*image.Paletted)
		if !ok || len(p.Palette) > 256 {
			t.Fatalf("%s: %T", name, m)
		}
		if d := visible(e.look(t, full), m); d == 0 && name == "photo.jpg" || d > 60 {
			t.Errorf("%s: the colours differ by a mean square of %v", name, d)
		}
		if name == "photo.jpg" && len(few.Data)*2 > len(full.Data) {
			t.Errorf("%d bytes with a palette, %d without", len(few.Data), len(full.Data))
		}
	}
	_, err := e.Render(t.Context(), job.Input{Data: load(t, "photo.jpg")}, []recipe.Variant{
		as(recipe.Output{Format: recipe.PNG, Palette: true}, recipe.Resize{Mode: recipe.Fit, Width: 5000})}, nil)
	if fault.ReasonOf(err) != ResultTooLarge {
		t.Errorf("a palette for 18 megapixels: %v", err)
	}
	_, err = e.Render(t.Context(), job.Input{Data: load(t, "photo.jpg")}, []recipe.Variant{
		as(recipe.Output{Format: recipe.PNG, Progressive: true}, recipe.Resize{Mode: recipe.Fit, Width: 3600})}, nil)
	if fault.ReasonOf(err) != ResultTooLarge {
		t.Errorf("an interlaced PNG of 9 megapixels: %v", err)
	}
}

func TestChromaSubsampling(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	for _, c := range []struct {
		quality int
		chroma  recipe.Chroma
		want    image.YCbCrSubsampleRatio
	}{
		{0, recipe.Automatic, image.YCbCrSubsampleRatio420}, {89, recipe.Automatic, image.YCbCrSubsampleRatio420},
		{90, recipe.Automatic, image.YCbCrSubsampleRatio444}, {50, recipe.Chroma444, image.YCbCrSubsampleRatio444},
		{95, recipe.Chroma420, image.YCbCrSubsampleRatio420},
	} {
		r := e.make(t, data, as(recipe.Output{Format: recipe.JPEG, Quality: c.quality, Chroma: c.chroma}, recipe.Resize{Width: 100}))
		m, err := jpeg.Decode(bytes.NewReader(r.Data))
		if err != nil {
			t.Fatal(err)
		}
		if got := m.(*image.YCbCr).SubsampleRatio; got != c.want {
			t.Errorf("quality %d, chroma %q: %v, want %v", c.quality, c.chroma, got, c.want)
		}
	}
	// Stripes of a pixel each, in colours of about one lightness, become mud when every second difference is dropped.
	stripes := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		stripes.Set(i%64, i/64, []color.Color{color.NRGBA{200, 60, 60, 255}, color.NRGBA{40, 120, 160, 255}}[i%2])
	}
	var b bytes.Buffer
	if err := png.Encode(&b, stripes); err != nil {
		t.Fatal(err)
	}
	for _, f := range []recipe.Format{recipe.JPEG, recipe.AVIF} {
		mud := distance(t, stripes, e.look(t, e.make(t, b.Bytes(), as(recipe.Output{Format: f, Quality: 85, Chroma: recipe.Chroma420}))))
		clear := distance(t, stripes, e.look(t, e.make(t, b.Bytes(), as(recipe.Output{Format: f, Quality: 85, Chroma: recipe.Chroma444}))))
		if clear*4 > mud {
			t.Errorf("%s: a mean square of %.0f with all colour differences, %.0f with every second one", f, clear, mud)
		}
	}
}

// An AVIF without loss keeps every colour difference: what is left is the rounding of colours that are kept as lightness and two differences.
func TestLosslessAVIF(t *testing.T) {
	e := engine(t)
	src := noise(48, 48, false)
	m := e.look(t, e.make(t, encode(t, src), as(recipe.Output{Format: recipe.AVIF, Lossless: true})))
	worst := 0
	for y := range 48 {
		for x := range 48 {
			p, q := src.NRGBAAt(x, y), color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
				worst = max(worst, d, -d)
			}
		}
	}
	if d := distance(t, src, m); worst > 1 {
		t.Errorf("a colour is off by %d, a mean square of %.2f", worst, d)
	}
}

func TestPages(t *testing.T) {
	e := engine(t)
	data := load(t, "walk.gif")
	var set []recipe.Variant
	for i := range 8 {
		set = append(set, as(recipe.Output{Format: []recipe.Format{recipe.PNG, recipe.GIF, recipe.WebP}[i%3], Page: i + 1}))
	}
	set = append(set, as(recipe.Output{Format: recipe.GIF}))
	done, err := e.Render(t.Context(), job.Input{Data: data}, set, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range done[:8] {
		m := e.look(t, r)
		for j := range 8 {
			if _, _, _, a := m.At(j*10+12, 32).RGBA(); i == j && (a == 0 || r.Pages != 1) {
				t.Errorf("page %d: %d pages, and its square is not there", i+1, r.Pages)
			}
		}
		if i > 0 && distance(t, m, e.look(t, done[i-1])) == 0 {
			t.Errorf("page %d is page %d", i+1, i)
		}
	}
	if done[8].Pages != 8 {
		t.Errorf("beside its pages, the animation has %d frames", done[8].Pages)
	}
	squares := load(t, "squares.webp")
	whole := e.make(t, squares, as(recipe.Output{Format: recipe.GIF}))
	for _, page := range []int{1, 5, 9} {
		one := e.look(t, e.make(t, squares, as(recipe.Output{Format: recipe.PNG, Page: page}, recipe.Resize{Width: 20})))
		same := e.look(t, e.make(t, whole.Data, as(recipe.Output{Format: recipe.PNG, Page: page}, recipe.Resize{Width: 20})))
		if d := distance(t, one, same); d > 40 {
			t.Errorf("page %d of the WebP differs from that of the GIF made of it by %v", page, d)
		}
	}
	for name, page := range map[string]int{"walk.gif": 9, "photo.jpg": 2, "small.tif": 2} {
		_, err := e.Render(t.Context(), job.Input{Data: load(t, name)}, []recipe.Variant{as(recipe.Output{Format: recipe.PNG, Page: page})}, nil)
		if fault.ReasonOf(err) != NoSuchPage {
			t.Errorf("page %d of %s: %v", page, name, err)
		}
	}
}

// The pages of a TIFF have sizes of their own, which count for geometry and limits.
func TestPagesOfTIFF(t *testing.T) {
	e := engine(t)
	data := twoPages(image.Pt(40, 20), red, image.Pt(30, 60), blue)
	done, err := e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{
		as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 10}), as(recipe.Output{Format: recipe.PNG, Page: 2}, recipe.Resize{Width: 10}),
		as(recipe.Output{Format: recipe.PNG, Page: 2}, recipe.Crop{Width: 30, Height: 2, Gravity: recipe.XY, Y: 58}),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		size image.Point
		c    color.NRGBA
	}{{image.Pt(10, 5), red}, {image.Pt(10, 20), blue}, {image.Pt(30, 2), blue}} {
		m := e.look(t, done[i])
		if m.Bounds().Size() != want.size {
			t.Errorf("variant %d is %v, want %v", i, m.Bounds().Size(), want.size)
		}
		at(t, m, 1, 1, want.c)
	}
	e = engine(t, func(l *Limits) { l.Side = 40 })
	_, err = e.Render(t.Context(), job.Input{Data: data}, []recipe.Variant{as(recipe.Output{Format: recipe.PNG, Page: 2})}, nil)
	if fault.ReasonOf(err) != probe.TooLarge {
		t.Errorf("a page above the limits: %v", err)
	}
}

// twoPages makes an uncompressed TIFF.
func twoPages(a image.Point, ca color.NRGBA, b image.Point, cb color.NRGBA) []byte {
	out := []byte("II*\x00\x00\x00\x00\x00")
	link := 4
	for i, s := range []image.Point{a, b} {
		c := []color.NRGBA{ca, cb}[i]
		pixels := len(out)
		out = append(out, bytes.Repeat([]byte{c.R, c.G, c.B}, s.X*s.Y)...)
		bits := len(out)
		out = append(out, 8, 0, 8, 0, 8, 0)
		binary.LittleEndian.PutUint32(out[link:], uint32(len(out)))
		entries := [][4]uint32{{256, 3, 1, uint32(s.X)}, {257, 3, 1, uint32(s.Y)}, {258, 3, 3, uint32(bits)}, {259, 3, 1, 1}, {262, 3, 1, 2},
			{273, 4, 1, uint32(pixels)}, {277, 3, 1, 3}, {278, 3, 1, uint32(s.Y)}, {279, 4, 1, uint32(3 * s.X * s.Y)}}
		out = binary.LittleEndian.AppendUint16(out, uint16(len(entries)))
		for _, e := range entries {
			out = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(out, uint16(e[0])), uint16(e[1]))
			out = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, e[2]), e[3])
		}
		link = len(out)
		out = append(out, 0, 0, 0, 0)
	}
	return out
}

func TestProfileIsStripped(t *testing.T) {
	e := engine(t)
	keep := recipe.Output{Format: recipe.JPEG, KeepMetadata: true}
	if p := profileOf(t, e.make(t, load(t, "adobergb.jpg"), as(keep)).Data); len(p) < 132 {
		t.Fatal("the profile was not kept in the first place")
	}
	keep.StripProfile = true
	if p := profileOf(t, e.make(t, load(t, "adobergb.jpg"), as(keep)).Data); p != nil {
		t.Errorf("a profile of %d bytes is still there", len(p))
	}
	if r := e.make(t, load(t, "photo.jpg"), as(keep)); !bytes.Contains(r.Data, []byte("Exif\x00\x00")) {
		t.Error("EXIF went together with the profile")
	}
}

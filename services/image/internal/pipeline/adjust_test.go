package pipeline

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"calotype/services/image/internal/recipe"
)

// encode writes a picture of a test's own.
func encode(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is a picture of every colour and opacity.
func noise(w, h int, alpha bool) *image.NRGBA {
	r := rand.New(rand.NewPCG(7, 11))
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = byte(r.UintN(256))
		if i%4 == 3 && !alpha {
			m.Pix[i] = 255
		}
	}
	return m
}

// adjusted is what effects do to one colour, worked out by itself from their definitions.
var adjusted = []struct {
	step recipe.Adjust
	want func(r, g, b float64) (float64, float64, float64)
}{
	{recipe.Adjust{Effect: recipe.Brightness, Amount: 20}, func(r, g, b float64) (float64, float64, float64) { return r + 51, g + 51, b + 51 }},
	{recipe.Adjust{Effect: recipe.Brightness, Amount: -60}, func(r, g, b float64) (float64, float64, float64) { return r - 153, g - 153, b - 153 }},
	// 259 x (127.5 + 255) / (255 x (259 - 127.5)) = 2.954...
	{recipe.Adjust{Effect: recipe.Contrast, Amount: 50}, func(r, g, b float64) (float64, float64, float64) {
		return 2.954373*(r-128) + 128, 2.954373*(g-128) + 128, 2.954373*(b-128) + 128
	}},
	{recipe.Adjust{Effect: recipe.Contrast, Amount: -100}, func(_, _, _ float64) (float64, float64, float64) { return 128, 128, 128 }},
	{recipe.Adjust{Effect: recipe.Gamma, Amount: 2}, func(r, g, b float64) (float64, float64, float64) {
		return math.Sqrt(r * 255), math.Sqrt(g * 255), math.Sqrt(b * 255)
	}},
	{recipe.Adjust{Effect: recipe.Negate}, func(r, g, b float64) (float64, float64, float64) { return 255 - r, 255 - g, 255 - b }},
	{recipe.Adjust{Effect: recipe.Tint, Amount: 25, Color: "ff8000"}, func(r, g, b float64) (float64, float64, float64) {
		return 0.75*r + 63.75, 0.75*g + 32, 0.75 * b
	}},
	{recipe.Adjust{Effect: recipe.Saturation, Amount: -100}, func(r, g, b float64) (float64, float64, float64) {
		y := 0.213*r + 0.715*g + 0.072*b
		return y, y, y
	}},
	{recipe.Adjust{Effect: recipe.Saturation, Amount: 100}, func(r, g, b float64) (float64, float64, float64) {
		y := 0.213*r + 0.715*g + 0.072*b
		return 2*r - y, 2*g - y, 2*b - y
	}},
	{recipe.Adjust{Effect: recipe.Hue, Amount: 180}, func(r, g, b float64) (float64, float64, float64) {
		y := 0.213*r + 0.715*g + 0.072*b
		return 2*y - r, 2*y - g, 2*y - b
	}},
	{recipe.Adjust{Effect: recipe.Hue, Amount: 90}, func(r, g, b float64) (float64, float64, float64) { // the standard's sines and grey
		return b, (0.213+0.143)*r + (0.715+0.140)*g + (0.072-0.283)*b, (0.213-0.787)*r + (0.715+0.715)*g + (0.072+0.072)*b
	}},
	{recipe.Adjust{Effect: recipe.Sepia, Amount: 100}, func(r, g, b float64) (float64, float64, float64) {
		return 0.393*r + 0.769*g + 0.189*b, 0.349*r + 0.686*g + 0.168*b, 0.272*r + 0.534*g + 0.131*b
	}},
	{recipe.Adjust{Effect: recipe.Sepia, Amount: 50}, func(r, g, b float64) (float64, float64, float64) {
		return r/2 + (0.393*r+0.769*g+0.189*b)/2, g/2 + (0.349*r+0.686*g+0.168*b)/2, b/2 + (0.272*r+0.534*g+0.131*b)/2
	}},
	{recipe.Adjust{Effect: recipe.Duotone, Amount: 100, Color: "001e50", Light: "fff0c8"}, func(r, g, b float64) (float64, float64, float64) {
		y := (0.213*r + 0.715*g + 0.072*b) / 255
		return 255 * y, 30 + 210*y, 80 + 120*y
	}},
	{recipe.Adjust{Effect: recipe.RGB, Red: 20, Green: -40, Blue: 0.8}, func(r, g, b float64) (float64, float64, float64) { return r + 51, g - 102, b + 2.04 }},
	{recipe.Adjust{Effect: recipe.Grayscale}, func(r, g, b float64) (float64, float64, float64) {
		y := 0.213*r + 0.715*g + 0.072*b
		return y, y, y
	}},
}

// Each effect does to each pixel what its definition says, leaves transparency alone, and does so to whatever is sent.
func TestAdjust(t *testing.T) {
	e := engine(t)
	files := map[string][]byte{"noise": encode(t, noise(40, 30, false)), "transparent noise": encode(t, noise(40, 30, true))}
	for _, name := range []string{"photo.jpg", "gray.jpg", "alpha.png", "cmyk.jpg", "deep.png", "adobergb.jpg", "small.tif", "photo.webp", "banana.gif", "orientation-6.jpg"} {
		files[name] = load(t, name)
	}
	for name, data := range files {
		var set []recipe.Variant
		for _, c := range adjusted {
			set = append(set, as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 60}, c.step))
		}
		before := e.look(t, e.make(t, data, as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 60})))
		for i, v := range set {
			c := adjusted[i]
			after := e.look(t, e.make(t, data, v))
			if after.Bounds() != before.Bounds() {
				t.Fatalf("%s, %+v: %v", name, c.step, after.Bounds())
			}
			worst := 0.0
			for y := range before.Bounds().Dy() {
				for x := range before.Bounds().Dx() {
					p, q := color.NRGBAModel.Convert(before.At(x, y)).(color.NRGBA), color.NRGBAModel.Convert(after.At(x, y)).(color.NRGBA)
					if p.A != q.A {
						t.Fatalf("%s, %+v: at %d,%d the opacity went from %d to %d", name, c.step, x, y, p.A, q.A)
					}
					r, g, b := c.want(float64(p.R), float64(p.G), float64(p.B))
					for k, want := range []float64{r, g, b} {
						got := float64([]uint8{q.R, q.G, q.B}[k])
						worst = max(worst, math.Abs(min(max(want, 0), 255)-got))
					}
				}
			}
			if worst > 1 { // rounding
				t.Errorf("%s, %+v: a colour is off by %.1f", name, c.step, worst)
			}
		}
	}
}

// Of an animation, every frame is changed as it is by itself.
func TestAdjustMovesOn(t *testing.T) {
	e := engine(t)
	for _, s := range []recipe.Adjust{{Effect: recipe.Negate}, {Effect: recipe.Hue, Amount: 90}, {Effect: recipe.Grayscale}, equalized, noisy(40)} {
		out := recipe.Output{Format: recipe.WebP, Lossless: true}
		all := e.make(t, load(t, "banana.gif"), as(out, s))
		if all.Pages != 8 {
			t.Fatalf("%+v leaves %d frames", s, all.Pages)
		}
		for _, page := range []int{1, 4, 8} {
			out.Page = page
			one := e.look(t, e.make(t, load(t, "banana.gif"), as(out, s)))
			same := e.look(t, e.make(t, all.Data, as(recipe.Output{Format: recipe.PNG, Page: page})))
			if d := visible(one, same); d > 1 {
				t.Errorf("%+v: frame %d is another than by itself, by %.1f", s, page, d)
			}
		}
	}
}

// visible is the mean square of two pictures' differences, weighted by opacity: an encoder may change colours that are hidden.
func visible(a, b image.Image) float64 {
	sum, n, s := 0.0, 0, a.Bounds().Size()
	for y := range s.Y {
		for x := range s.X {
			ar, ag, ab, aa := a.At(x, y).RGBA()
			br, bg, bb, ba := b.At(x, y).RGBA()
			for _, d := range []float64{float64(ar) - float64(br), float64(ag) - float64(bg), float64(ab) - float64(bb), float64(aa) - float64(ba)} {
				sum, n = sum+d*d/257/257, n+1
			}
		}
	}
	return sum / float64(n)
}

// A plain change of colours keeps nothing: rows go through as they come.
func TestAdjustStreams(t *testing.T) {
	for _, c := range adjusted {
		f, err := foresee([]recipe.Step{recipe.Resize{Width: 100}, c.step}, size{4000, 3000})
		if err != nil || !f.streams || f.enough != 0.025 {
			t.Errorf("%+v: %+v, %v", c.step, f, err)
		}
	}
	e := engine(t, func(l *Limits) { l.Memory = 1000 })
	for _, c := range adjusted {
		e.make(t, load(t, "photo.jpg"), as(recipe.Output{Format: recipe.JPEG}, recipe.Resize{Width: 300}, c.step))
	}
}

// Every picture of a folder keeps its size and transparency whatever is done to its colours.
func TestAdjustEveryPicture(t *testing.T) {
	e := engine(t)
	files, err := filepath.Glob(filepath.Join(pictures, "*.*"))
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if filepath.Ext(file) == ".md" {
			continue
		}
		data := load(t, filepath.Base(file))
		plain := e.make(t, data, as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 32}))
		twice := e.make(t, data, as(recipe.Output{Format: recipe.PNG}, recipe.Resize{Width: 32}, recipe.Adjust{Effect: recipe.Negate}, recipe.Adjust{Effect: recipe.Negate}))
		if d := distance(t, e.look(t, plain), e.look(t, twice)); d != 0 {
			t.Errorf("%s negated twice differs by %v", filepath.Base(file), d)
		}
	}
}

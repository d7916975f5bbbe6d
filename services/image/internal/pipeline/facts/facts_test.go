package facts

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color"
	"math/bits"
	"strconv"
	"strings"
	"testing"
)

// sample is a picture that any implementation can make: no two of its quarters are alike.
func sample(w, h int, clear bool) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			a := uint8(255)
			if clear {
				a = uint8((x*5 + y*3) % 256)
			}
			im.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / w), uint8(y * 255 / h), uint8((x*x + y*y) * 255 / (w*w + h*h)), a})
		}
	}
	return im
}

// The hashes are those that npm's thumbhash 0.1.1, its author's own, gives for the same pixels.
func TestThumbHashIsTheAuthors(t *testing.T) {
	for _, c := range []struct {
		im   *image.NRGBA
		want string
	}{
		{sample(60, 40, false), "WwkSHZqAh4eCh3iIeHiIeB5wBfd4"}, {sample(30, 90, false), "W/kRKhqDgIiHh3iHcH8D94g="}, {sample(50, 50, true), "W/mFDRAYkoaAmYl5iBiXEPeHCHYYt2d8dw=="},
	} {
		if got := thumbHash(c.im); got != c.want {
			t.Errorf("%v: %s, want %s", c.im.Rect.Max, got, c.want)
		}
	}
}

// What looks alike has hashes that differ in few bits, whatever its size and light; what does not, in many.
func TestPHash(t *testing.T) {
	of := func(im *image.NRGBA) uint64 {
		n, err := strconv.ParseUint(pHash(im), 16, 64)
		if err != nil || len(pHash(im)) != 16 {
			t.Fatal(pHash(im), err)
		}
		return n
	}
	rings := func(w, h, light int) *image.NRGBA {
		im := image.NewNRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				dx, dy := float64(x)/float64(w)-0.3, float64(y)/float64(h)-0.6
				v := uint8(light + int(90*((dx*dx+dy*dy)*9-float64(int((dx*dx+dy*dy)*9)))))
				im.SetNRGBA(x, y, color.NRGBA{v, v, v, 255})
			}
		}
		return im
	}
	base := of(rings(200, 160, 80))
	if d := bits.OnesCount64(base ^ of(rings(90, 120, 120))); d > 8 {
		t.Errorf("smaller and lighter, %d bits differ", d)
	}
	if d := bits.OnesCount64(base ^ of(sample(200, 160, false))); d < 16 {
		t.Errorf("another picture differs in %d bits only", d)
	}
	if got := pHash(image.NewNRGBA(image.Rect(0, 0, 9, 9))); got != "8000000000000000" {
		t.Errorf("one colour: %s", got)
	}
}

func TestPalette(t *testing.T) {
	im := image.NewNRGBA(image.Rect(0, 0, 100, 100))
	for i := range 100 * 100 {
		c := color.NRGBA{200, 30, 30, 255}
		switch x := i % 100; {
		case x >= 90:
			c = color.NRGBA{0, 0, 0, 0} // counts for nothing
		case x >= 60:
			c = color.NRGBA{20, uint8(40 + i/100%8), 180, 255} // alike
		case x >= 54:
			c = color.NRGBA{240, 240, 240, 255}
		}
		im.SetNRGBA(i%100, i/100, c)
	}
	got := palette(im)
	if len(got) != 3 || got[0] != (Share{"c81e1e", 0.6}) || got[1].Share != 0.3333 || got[2] != (Share{"f0f0f0", 0.0667}) {
		t.Errorf("%+v", got)
	}
	if average(im) != "8f305e" {
		t.Errorf("the average is %s", average(im))
	}
	if got := palette(image.NewNRGBA(image.Rect(0, 0, 3, 3))); len(got) != 0 {
		t.Errorf("nothing shows, and has colours %v", got)
	}
}

func TestLight(t *testing.T) {
	flat, stripes := image.NewNRGBA(image.Rect(0, 0, 64, 64)), image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		flat.SetNRGBA(i%64, i/64, color.NRGBA{9, 9, 9, 255})
		stripes.SetNRGBA(i%64, i/64, color.NRGBA{uint8(i % 2 * 255), uint8(i % 2 * 255), uint8(i % 2 * 255), 255})
	}
	if p := lightness(flat); p.entropy() != 0 || p.sharpness() > 1e-9 {
		t.Errorf("one colour: %v bits, %v", p.entropy(), p.sharpness())
	}
	if p := lightness(stripes); p.entropy() != 1 || p.sharpness() < 10000 {
		t.Errorf("two colours: %v bits, %v", p.entropy(), p.sharpness())
	}
}

// Whatever its shape, a picture has all its measures, and always the same.
func TestMeasureAnyShape(t *testing.T) {
	for _, s := range []image.Point{{1, 1}, {256, 1}, {1, 256}, {2, 3}, {256, 256}} {
		a, err := Measure(sample(s.X, s.Y, s.X == 2))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := Measure(sample(s.X, s.Y, s.X == 2))
		one, _ := Document{Picture: Picture{Measures: a}}.Encode()
		two, _ := Document{Picture: Picture{Measures: b}}.Encode()
		if !bytes.Equal(one, two) || len(a.BlurHash) != 28 || len(a.Palette) == 0 {
			t.Errorf("%v: %s", s, one)
		}
		if raw, err := base64.StdEncoding.DecodeString(a.ThumbHash); err != nil || len(raw) < 5 {
			t.Errorf("%v: %q, %v", s, a.ThumbHash, err)
		}
	}
}

// block is EXIF with a make that means harm, a date and a place.
func block() []byte {
	b := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08")
	entry := func(id, kind uint16, n, v uint32) {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, id), kind), n), v)
	}
	b = append(b, 0, 3)
	entry(0x010f, 2, 12, 50)
	entry(0x013b, 2, 4, 0x4a6f6500)
	entry(0x8825, 4, 1, 62)
	b = append(b, 0, 0, 0, 0)
	b = append(b, "Ca\x1bm\xffera<b>\x00"...)
	b = append(b, 0, 4)
	entry(0x0001, 2, 2, 0x53000000)
	entry(0x0002, 5, 3, 116)
	entry(0x0003, 2, 2, 0x45000000)
	entry(0x0004, 5, 3, 116)
	b = append(b, 0, 0, 0, 0)
	for _, n := range []uint32{48, 1, 30, 1, 0, 1} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func TestEXIF(t *testing.T) {
	got, place := EXIF(block())
	if got["make"] != "Camera<b>" || got["artist"] != "Joe" || len(got) != 2 {
		t.Errorf("%v", got)
	}
	if place == nil || place.Latitude != -48.5 || place.Longitude != 48.5 {
		t.Errorf("%+v", place)
	}
}

func FuzzEXIF(f *testing.F) {
	f.Add(block())
	f.Fuzz(func(t *testing.T, data []byte) {
		found, _ := EXIF(data)
		for k, v := range found {
			if s, ok := v.(string); ok && (len([]rune(s)) > maxText || strings.ContainsAny(s, "\x00\x1b")) {
				t.Errorf("%s: %q", k, s)
			}
		}
		if _, err := (Document{Original: Original{EXIF: found}}).Encode(); err != nil {
			t.Error(err)
		}
		ProfileName(data)
	})
}

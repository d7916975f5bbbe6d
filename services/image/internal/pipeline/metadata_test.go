package pipeline

import (
	"bytes"
	"image/gif"
	"runtime"
	"testing"

	"calotype/services/image/internal/pipeline/probe"
	"calotype/services/image/internal/recipe"
)

func decodeGIF(t *testing.T, data []byte) *gif.GIF {
	t.Helper()
	g, err := gif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var everyFormat = []recipe.Format{recipe.JPEG, recipe.PNG, recipe.WebP, recipe.AVIF, recipe.GIF, recipe.JXL, recipe.TIFF}

// traces are what gives away that a file still carries something of the original's: EXIF and its maker, XMP, a profile.
var traces = []string{"Exif", "EXIF", "eXIf", "http://ns.adobe.com", "<x:xmpmeta", "ICC_PROFILE", "iCCP", "ICCP", "Photoshop", "CALOTYPE-FOREIGN"}

func TestNothingOfTheOriginalStays(t *testing.T) {
	e := engine(t)
	for _, name := range []string{"photo.jpg", "adobergb.jpg", "p3.png", "orientation-6.jpg", "bad/polyglot.jpg", "bad/text-bomb.png"} {
		for _, f := range everyFormat {
			r := e.make(t, load(t, name), variant(f, recipe.Resize{Width: 120}))
			for _, trace := range traces {
				if bytes.Contains(r.Data, []byte(trace)) {
					t.Errorf("%s as %s still holds %q", name, f, trace)
				}
			}
		}
	}
}

func TestMetadataIsKeptWhenAsked(t *testing.T) {
	e := engine(t)
	for f, trace := range map[recipe.Format]string{recipe.JPEG: "Exif\x00\x00", recipe.PNG: "eXIf", recipe.WebP: "EXIF", recipe.AVIF: "Exif"} {
		v := variant(f, recipe.Resize{Width: 300})
		v.Output.KeepMetadata = true
		if r := e.make(t, load(t, "photo.jpg"), v); !bytes.Contains(r.Data, []byte(trace)) {
			t.Errorf("%s holds no %q", f, trace)
		}
		// The orientation was applied: it must not be told once more.
		m := e.look(t, e.make(t, load(t, "orientation-6.jpg"), v))
		quarters(t, m, red, green, blue, yellow)
	}
	v := variant(recipe.JPEG, recipe.Resize{Width: 300})
	v.Output.KeepMetadata = true
	if !nearSRGB(profileOf(t, e.make(t, load(t, "adobergb.jpg"), v).Data)) {
		t.Error("the profile that is kept must be sRGB's, in which the colours are now")
	}
	if n := bytes.Count(e.make(t, load(t, "photo.jpg"), v).Data, []byte{0xff, 0xd8, 0xff}); n != 1 {
		t.Errorf("%d pictures in one: the EXIF thumbnail of the original is no longer true", n)
	}
}

func profileOf(t *testing.T, data []byte) []byte {
	t.Helper()
	h, err := probe.Read(data)
	if err != nil {
		t.Fatal(err)
	}
	r, release := hold(t.Context())
	defer release()
	var pin runtime.Pinner
	defer pin.Unpin()
	a := r.arena()
	defer a.free()
	return bytes.Clone(open(a, &pin, data, h, reading{frames: 1}).profile())
}

func TestNearSRGB(t *testing.T) {
	engine(t)
	for _, name := range []string{"adobergb.jpg", "p3.png"} {
		p := profileOf(t, load(t, name))
		if len(p) < 132 {
			t.Fatalf("%s has a profile of %d bytes", name, len(p))
		}
		if nearSRGB(p) {
			t.Errorf("the profile of %s passes for sRGB", name)
		}
	}
	if nearSRGB(nil) || nearSRGB(make([]byte, 500)) {
		t.Error("no profile passes for sRGB")
	}
}

func FuzzNearSRGB(f *testing.F) {
	f.Add([]byte("short"))
	e := engine(f)
	v := variant(recipe.JPEG, recipe.Resize{Width: 16})
	v.Output.KeepMetadata = true
	full := e.make(f, load(f, "adobergb.jpg"), v).Data
	if i := bytes.Index(full, []byte("ICC_PROFILE")); i > 0 {
		f.Add(full[i+14 : min(len(full), i+14+3144)])
	}
	f.Fuzz(func(_ *testing.T, p []byte) { nearSRGB(p) })
}

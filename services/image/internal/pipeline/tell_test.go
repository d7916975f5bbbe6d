package pipeline

import (
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"
	"testing"

	"calotype/services/image/internal/pipeline/facts"
	"calotype/services/image/internal/recipe"
)

// told reads the document of a variant.
func (e *Engine) told(t testing.TB, data []byte, o recipe.Output, steps ...recipe.Step) (d facts.Document) {
	t.Helper()
	o.Format = recipe.JSON
	r := e.make(t, data, as(o, steps...))
	if r.Format != "json" || r.ContentType != "application/json" {
		t.Errorf("it is %s, %s", r.Format, r.ContentType)
	}
	if err := json.Unmarshal(r.Data, &d); err != nil {
		t.Fatal(err)
	}
	if d.Picture.Width != r.Width || d.Picture.Height != r.Height {
		t.Errorf("the picture is %d x %d, the result %d x %d", d.Picture.Width, d.Picture.Height, r.Width, r.Height)
	}
	return d
}

// apart counts the bits in which two perceptual hashes differ.
func apart(t testing.TB, a, b string) int {
	t.Helper()
	m, err := strconv.ParseUint(a, 16, 64)
	n, err2 := strconv.ParseUint(b, 16, 64)
	if err != nil || err2 != nil {
		t.Fatal(a, b)
	}
	return bits.OnesCount64(m ^ n)
}

func TestWhatAFileSays(t *testing.T) {
	e := engine(t)
	photo := e.told(t, load(t, "photo.jpg"), recipe.Output{})
	o := photo.Original
	if o.Format != "jpeg" || o.Width != 1200 || o.Height != 900 || o.Pages != 1 || o.Bytes != int64(len(load(t, "photo.jpg"))) || o.HasAlpha {
		t.Errorf("%+v", o)
	}
	for _, field := range []string{"make", "model", "date_time_original", "exposure_time", "f_number", "iso", "focal_length"} {
		if o.EXIF[field] == nil {
			t.Errorf("no %s in %v", field, o.EXIF)
		}
	}
	if o.GPS != nil {
		t.Errorf("it tells where: %+v", o.GPS)
	}
	if d := e.told(t, load(t, "walk.gif"), recipe.Output{Page: 3}); len(d.Original.Delays) != 8 || slices.Min(d.Original.Delays) < 50 || d.Picture.Page != 3 {
		t.Errorf("%+v", d)
	}
	if d := e.told(t, load(t, "squares.webp"), recipe.Output{}); len(d.Original.Delays) != 9 || d.Picture.Page != 1 {
		t.Errorf("%+v", d.Original)
	}
	if d := e.told(t, load(t, "adobergb.jpg"), recipe.Output{}); d.Original.ColorProfile != "Adobe RGB (1998)" {
		t.Errorf("profile %q", d.Original.ColorProfile)
	}
	if d := e.told(t, load(t, "orientation-6.jpg"), recipe.Output{}); d.Original.Orientation != 6 || d.Picture.Width != d.Original.Width {
		t.Errorf("%+v", d)
	}
}

// The measures are of what the operations make, in its true size, and do not hang on how the original is decoded for them.
func TestWhatAPictureIs(t *testing.T) {
	e := engine(t)
	for _, name := range []string{"photo.jpg", "photo.webp", "alpha.png", "gray.jpg", "deep.png", "cmyk.jpg", "small.tif", "photo.heic"} {
		data := load(t, name)
		for i, steps := range [][]recipe.Step{
			nil, {recipe.Resize{Width: 40}}, {recipe.Rotate{Angle: 90}, recipe.Crop{Width: 70, Height: 60}}, {recipe.Trim{}, recipe.Frame{Border: 3, Ink: "ff0000"}},
		} {
			direct := e.told(t, data, recipe.Output{}, steps...).Picture
			made := e.make(t, data, variant(recipe.PNG, steps...))
			after := e.told(t, made.Data, recipe.Output{}).Picture
			if direct.Width != made.Width || direct.Height != made.Height {
				t.Errorf("%s, %d: %d x %d, and the PNG is %d x %d", name, i, direct.Width, direct.Height, made.Width, made.Height)
			}
			if n := apart(t, direct.PHash, after.PHash); n > 6 {
				t.Errorf("%s, %d: a pHash %d bits from the PNG's", name, i, n)
			}
			if len(direct.Palette) == 0 || len(direct.BlurHash) != 28 || direct.ThumbHash == "" {
				t.Errorf("%s, %d: %+v", name, i, direct)
			}
		}
	}
	if d := e.told(t, load(t, "orientation-1.jpg"), recipe.Output{}).Picture; len(d.Palette) < 4 || d.Palette[3].Share < 0.2 {
		t.Errorf("four quarters have the colours %+v", d.Palette)
	}
	a, b := e.make(t, load(t, "photo.jpg"), variant(recipe.JSON)), e.make(t, load(t, "photo.jpg"), variant(recipe.JSON))
	if string(a.Data) != string(b.Data) {
		t.Error("the same picture is told of in two ways")
	}
}

package pipeline

import (
	"bytes"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/test/likeness"
)

// wished is a resolved variant of an original.
func wished(t testing.TB, options string, of job.Picture) recipe.Variant {
	t.Helper()
	v, err := recipe.Parse(options)
	if err != nil {
		t.Fatal(err)
	}
	v.Name = "v"
	r, err := recipe.Recipe{Variants: []recipe.Variant{v}}.Resolve(recipe.Source{Format: of.Format, HasAlpha: of.HasAlpha, Pages: of.Pages})
	if err != nil {
		t.Fatal(err)
	}
	return r.Variants[0]
}

// copied makes the copy of an original.
func (e *Engine) copied(t testing.TB, m Mezzanine, data []byte) (in job.Input, copied size) {
	t.Helper()
	pic, err := e.Inspect(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	r := e.make(t, data, m.Copy())
	return job.Input{Data: r.Data, Stands: &pic}, size{r.Width, r.Height}
}

func TestWhatACopyIsEnoughFor(t *testing.T) {
	photo := job.Picture{Format: "jpeg", Width: 6001, Height: 3999, Pages: 1, Orientation: 6}
	for options, want := range map[string]bool{
		"w_1280": true, "w_1281,c_fit": true, "w_1300": false, "h_853": true, "h_900": false, "c_scale,w_100,h_853": true, "c_scale,w_100,h_900": false,
		"c_fill,w_800,h_800,g_auto": true, "c_fill,w_900,h_900": false, "c_pad,w_2000,h_800": true, "c_thumb,w_300,h_300,g_entropy,f_webp": true,
		"c_crop,w_3000,h_2000,g_xy,x_10,y_10/w_600": true, "c_crop,w_3000,h_2000/w_700": false, "c_crop,w_512,h_512": false,
		"a_90/w_512": true, "e_blur:5/w_512": false, "w_512/e_blur:5": true, "e_trim/w_512": false, "w_512/e_trim": false, "a_90": false, "": false,
		"w_512,f_avif,q_auto": true, "w_512,q_93": true, "w_512,q_94": false, "w_512,fl_best": false, "w_512,f_png": false, "w_512,f_gif": false,
		"w_512,f_webp,fl_lossless": false, "w_512,f_json": false, "w_512,fl_keep_metadata": false, "w_512,cs_p3": false,
		"c_crop,w_10,h_10,g_xy,x_9000,y_0/w_5": false,
	} {
		if options != "" {
			options += "/"
		}
		v := wished(t, options+"e_sharpen:1", photo)
		if got := Mezzanine(2560).Suits(photo, []recipe.Variant{v}); got != want {
			t.Errorf("%s: %v", options, got)
		}
		small := wished(t, "w_64,f_webp", photo)
		if got := Mezzanine(2560).Suits(photo, []recipe.Variant{small, v}); got != want {
			t.Errorf("%s in a set: %v", options, got)
		}
	}
}

func TestWhatIsReduced(t *testing.T) {
	like := func(change func(*job.Picture)) job.Picture {
		pic := job.Picture{Format: "heic", Width: 3840, Height: 100, Pages: 1}
		change(&pic)
		return pic
	}
	for name, c := range map[string]struct {
		pic  job.Picture
		want bool
	}{
		"half as large again":  {like(func(*job.Picture) {}), true},
		"hardly larger":        {like(func(p *job.Picture) { p.Width = 3839 }), false},
		"high":                 {like(func(p *job.Picture) { p.Width, p.Height = 100, 3840 }), true},
		"transparent":          {like(func(p *job.Picture) { p.HasAlpha = true }), false},
		"moving":               {like(func(p *job.Picture) { p.Format, p.Pages = "webp", 2 }), false},
		"drawn":                {like(func(p *job.Picture) { p.Format = "svg" }), false},
		"with a palette":       {like(func(p *job.Picture) { p.Format = "gif" }), false},
		"of a scanner's pages": {like(func(p *job.Picture) { p.Format, p.Pages = "tiff", 3 }), false},
	} {
		v := wished(t, "w_64,h_2,f_jpeg", c.pic)
		if got := Mezzanine(2560).Suits(c.pic, []recipe.Variant{v}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if Mezzanine(0).Suits(c.pic, []recipe.Variant{v}) {
			t.Errorf("%s: without copies", name)
		}
	}
	for name, want := range map[string]bool{"photo.jpg": true, "photo.heic": true, "small.tif": false, "alpha.png": false, "banana.gif": false} {
		if got := Mezzanine(300).Reduces(load(t, name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if len(Mezzanine(255).Validate())+len(Mezzanine(-1).Validate())+len(Mezzanine(recipe.MaxSide+1).Validate()) != 3 ||
		len(Mezzanine(0).Validate())+len(Mezzanine(256).Validate()) != 0 {
		t.Error("bounds")
	}
}

// What is made of a copy is what the original would give: as large, of the same part, and as near to a reference in floating point, or
// nearer. Where more is done than resizing and cutting, the reference is the best that can be made of the original.
func TestMadeOfACopy(t *testing.T) {
	e := engine(t)
	for name, data := range photographs(t, e) {
		pic, err := e.Inspect(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		from := size{pic.Width, pic.Height}
		whole := likeness.LightOf(e.look(t, e.make(t, data, variant(recipe.PNG))))
		in, _ := e.copied(t, Mezzanine(max(pic.Width, pic.Height)*45/100), data)
		for _, options := range []string{"w_200", "c_fill,w_150,h_150,g_north_east", "c_thumb,w_96,h_160,g_xy_center,x_0.8,y_0.2", "c_pad,w_180,h_200,b_ff0000",
			"c_scale,w_199,h_77", "c_crop,g_xy,x_333,y_111,w_601,h_397/w_130", "a_90/w_150", "c_fit,w_201/e_blur:2/a_hflip", "c_fill,w_120,h_180,g_auto"} {
			v := wished(t, options+",f_png", pic)
			direct := e.make(t, data, v)
			one, err := e.Render(t.Context(), in, []recipe.Variant{v}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := one[0]
			if got.Width != direct.Width || got.Height != direct.Height || got.Format != direct.Format {
				t.Errorf("%s, %s: %d x %d %s, of the original %d x %d %s", name, options, got.Width, got.Height, got.Format, direct.Width, direct.Height, direct.Format)
			}
			least := 30.0 // of what stands a pixel beside there is less than 27
			var want likeness.Light
			switch r, is := v.Steps[0].(recipe.Resize); {
			case is && r.Gravity.Seeks(): // what draws the eye may be seen a little beside
				continue
			case is && !r.Mode.Pads() && len(v.Steps) == 1:
				r = r.Meant()
				full := scaled(r, from)
				box, err := aim(r, from, full, framed(r, from))
				if err != nil {
					t.Fatal(err)
				}
				want, least = whole.Reduced(full.w, full.h).Part(box.x, box.y, box.w, box.h), 43
			default:
				v.Output.Scaling = recipe.Best
				want = likeness.LightOf(e.look(t, e.make(t, data, v)))
			}
			of, by := likeness.PSNR(want, likeness.LightOf(e.look(t, got))), likeness.PSNR(want, likeness.LightOf(e.look(t, direct)))
			if of < least {
				t.Errorf("%s, %s: %.2f dB of a copy, %.2f of the original", name, options, of, by)
			}
			t.Logf("%s, %s: %.2f dB of a copy, %.2f of the original", name, options, of, by)
		}
	}
}

// A copy is upright and in sRGB, however the original is stored.
func TestCopiesOfAnyOriginal(t *testing.T) {
	e := engine(t)
	for _, name := range []string{"orientation-6.jpg", "orientation-3.jpg", "gray.jpg", "cmyk.jpg", "adobergb.jpg", "deep.png", "photo.heic", "photo.avif", "photo.webp", "small.tif"} {
		data := load(t, name)
		pic, err := e.Inspect(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		in, _ := e.copied(t, Mezzanine(max(pic.Width, pic.Height)*6/10), data)
		v := variant(recipe.PNG, recipe.Resize{Mode: recipe.Limit, Width: max(1, pic.Width/4)})
		made, err := e.Render(t.Context(), in, []recipe.Variant{v}, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		if direct := e.make(t, data, v); direct.Width != made[0].Width || direct.Height != made[0].Height {
			t.Errorf("%s: %d x %d, of the original %d x %d", name, made[0].Width, made[0].Height, direct.Width, direct.Height)
		} else if d := e.apart(t, direct.Data, made[0].Data); d > 0.05 {
			t.Errorf("%s: DSSIM %.4f", name, d)
		} else {
			t.Logf("%s: DSSIM %.4f", name, d)
		}
		if v.Output.Format = recipe.Original; pic.Format == "tiff" {
			continue
		}
		if again, err := e.Render(t.Context(), in, []recipe.Variant{v}, nil); err != nil || again[0].Format != e.make(t, data, v).Format {
			t.Errorf("%s: %v, %v", name, again, err)
		}
	}
}

// The copy itself is the same whenever it is made, and so is what is made of it.
func TestCopiesAreAlike(t *testing.T) {
	e := engine(t)
	data := load(t, "photo.jpg")
	var copies, results [][]byte
	for range 2 {
		in, is := e.copied(t, 512, data)
		if is != (size{512, 384}) {
			t.Fatal(is)
		}
		set, err := e.Render(t.Context(), in, []recipe.Variant{wished(t, "w_256", *in.Stands), wished(t, "c_fill,w_64,h_64,g_auto,f_webp", *in.Stands)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		copies, results = append(copies, in.Data), append(results, append(set[0].Data, set[1].Data...))
	}
	if !bytes.Equal(copies[0], copies[1]) || !bytes.Equal(results[0], results[1]) {
		t.Error("other bytes the second time")
	}
}

// Beside fl_best, what is made of copies of a corpus' photographs differs less than what is made of the originals, or so little that nobody can
// tell: q_80 alone comes to a DSSIM of 0.014.
func TestCopiesOfACorpus(t *testing.T) {
	e := engine(t)
	const m = Mezzanine(2560)
	for name, data := range photographs(t, e) {
		if !m.Reduces(data) {
			continue
		}
		in, _ := e.copied(t, m, data)
		for _, width := range []int{320, 512, 960, 1280} {
			v := variant(recipe.PNG, recipe.Resize{Width: width})
			direct := e.make(t, data, v)
			made, err := e.Render(t.Context(), in, []recipe.Variant{v}, nil)
			if err != nil {
				t.Fatal(err)
			}
			v.Output.Scaling = recipe.Best
			best := e.make(t, data, v)
			light := likeness.LightOf(e.look(t, best))
			of, by := e.apart(t, best.Data, made[0].Data), e.apart(t, best.Data, direct.Data)
			t.Logf("%s, %d wide: DSSIM %.5f and %.2f dB of a copy, %.5f and %.2f of the original", name, width, of, likeness.PSNR(light, likeness.LightOf(e.look(t, made[0]))),
				by, likeness.PSNR(light, likeness.LightOf(e.look(t, direct))))
			if of > max(by, 0.004) {
				t.Errorf("%s, %d wide: DSSIM %.5f of a copy, %.5f of the original", name, width, of, by)
			}
		}
	}
}

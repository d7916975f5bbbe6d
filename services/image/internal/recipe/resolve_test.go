package recipe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/fault"
)

func mustParse(t *testing.T, text string) Variant {
	t.Helper()
	v, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestResolveFillsInDefaults(t *testing.T) {
	photo, logo, movie := Source{Format: "jpeg", Pages: 1}, Source{Format: "png", HasAlpha: true, Pages: 1}, Source{Format: "gif", Pages: 9}
	for _, c := range []struct {
		options string
		src     Source
		want    string
	}{
		{"", photo, "b_ffffff,f_jpeg,q_80"},
		{"", logo, "b_transparent,f_png"},
		{"", movie, "b_transparent,f_gif"},
		{"", Source{Format: "heic"}, "b_ffffff,f_jpeg,q_80"},
		{"", Source{Format: "tiff", HasAlpha: true}, "b_transparent,f_png"},
		{"f_avif", photo, "b_transparent,f_avif,q_55"},
		{"f_webp", photo, "b_transparent,f_webp,q_80"},
		{"f_webp,fl_lossless", photo, "b_transparent,f_webp,fl_lossless"},
		{"f_jpg,q_3,b_f00", logo, "b_ff0000,f_jpeg,q_3"},
		// What the caller did not ask for is no fault of his.
		{"q_70", logo, "b_transparent,f_png"},
		{"fl_lossless", photo, "b_ffffff,f_jpeg,q_80"},
		// Nor what the format that follows from the original has none of, or what is so anyway.
		{"fl_progressive.png8.chroma_444", logo, "b_transparent,f_png,fl_png8.progressive"},
		{"fl_progressive.png8.chroma_444", photo, "b_ffffff,f_jpeg,fl_chroma_444.progressive,q_80"},
		{"fl_progressive.png8.chroma_444", movie, "b_transparent,f_gif"},
		{"f_avif,fl_lossless.chroma_444", photo, "b_transparent,f_avif,fl_lossless"},
		{"cs_p3", photo, "b_ffffff,cs_p3,f_jpeg,q_80"},
		{"cs_p3", movie, "b_transparent,f_gif"},
		{"q_80:420", photo, "b_ffffff,f_jpeg,q_80"},
		{"q_90:444", photo, "b_ffffff,f_jpeg,q_90"},
		{"q_90:420", photo, "b_ffffff,f_jpeg,fl_chroma_420,q_90"},
		{"pg_1", photo, "b_ffffff,f_jpeg,q_80"},
		{"pg_1", movie, "b_transparent,f_gif,pg_1"},
		{"pg_1,f_png", movie, "b_transparent,f_png"},
		{"pg_2,f_png", movie, "b_transparent,f_png,pg_2"},
		{"pg_1,f_webp", Source{Format: "tiff", Pages: 3}, "b_transparent,f_webp,q_80"},
		// jpeg shows transparency as what it looks like on white.
		{"f_jpg,b_transparent", logo, "b_ffffff,f_jpeg,q_80"},
		{"f_jpg,b_00000080", logo, "b_7f7f7f,f_jpeg,q_80"},
		{"c_pad,w_5,h_5", photo, "b_ffffff,c_pad,h_5,w_5/b_ffffff,f_jpeg,q_80"},
		{"c_pad,w_5,h_5/b_f00", logo, "b_ff0000,c_pad,h_5,w_5/b_ff0000,f_png"},
		{"c_pad,w_5,h_5,b_blurred", photo, "b_blurred,c_pad,h_5,w_5/b_ffffff,f_jpeg,q_80"},
		{"c_pad,w_5,h_5,b_00f/b_f00", logo, "b_0000ff,c_pad,h_5,w_5/b_ff0000,f_png"},
	} {
		got, err := mustParse(t, c.options).Resolve(c.src)
		if err != nil || Canonical(got) != c.want {
			t.Errorf("%q for %v: %q, %v; want %q", c.options, c.src, Canonical(got), err, c.want)
		}
	}
}

func TestResolveLeavesItsInputAlone(t *testing.T) {
	v := Variant{Name: "a", Steps: []Step{Resize{Mode: Pad, Width: 1, Height: 1}}}
	if _, err := (Recipe{[]Variant{v}}).Resolve(Source{Format: "jpeg"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Step(Resize{Mode: Pad, Width: 1, Height: 1}), v.Steps[0]); d != "" {
		t.Error(d)
	}
}

func TestResolveNamesEveryFault(t *testing.T) {
	r := Recipe{Variants: []Variant{
		{Name: "card", Output: Output{Quality: 101}},
		{Name: "card", Output: Output{Format: "bmp"}},
		{Name: "No!", Output: Output{Background: "red"}},
		{Name: "auto", Output: Output{Format: Negotiated}},
		{Name: "odd", Steps: []Step{nil, Rotate{45}, Sharpen{0}, Crop{Width: 5, Height: 5, X: 2},
			Frame{}, Frame{Border: 3}, Frame{Round: true, Radii: [4]int{1}}, Pixelate{Size: 1}, Pixelate{Region: Region{X: 1, Width: 4}},
			Adjust{Effect: "glow"}, Adjust{Effect: Negate, Amount: 3}, Adjust{Effect: Duotone, Color: "112233"}, Adjust{Effect: Hue, Amount: 3, Light: White}}},
	}}
	_, err := r.Resolve(Source{Format: "jpeg"})
	e := fault.As(err)
	if e == nil || e.Kind != fault.Invalid || e.Reason != "BAD_RECIPE" {
		t.Fatalf("got %v", err)
	}
	want := []string{
		"variants[0].output.quality", "variants[1].name", "variants[1].output.format", "variants[2].name", "variants[2].output.background",
		"variants[3].output.format", "variants[4].operations[0]", "variants[4].operations[1].rotate.angle", "variants[4].operations[2].sharpen.sigma",
		"variants[4].operations[3].crop.gravity", "variants[4].operations[4].frame.radii", "variants[4].operations[5].frame.ink",
		"variants[4].operations[6].frame.radii", "variants[4].operations[7].pixelate.size", "variants[4].operations[8].pixelate.region.height",
		"variants[4].operations[9].adjust.effect", "variants[4].operations[10].adjust.amount", "variants[4].operations[11].adjust.light",
		"variants[4].operations[12].adjust.light",
	}
	var paths []string
	for _, f := range e.Fields {
		paths = append(paths, f.Path)
	}
	if d := cmp.Diff(want, paths); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if !strings.HasPrefix(e.Fields[0].Message, `variant "card": 101`) {
		t.Errorf("the variant is not named: %s", e.Fields[0].Message)
	}
	if _, err := (Recipe{}).Resolve(Source{}); fault.ReasonOf(err) != "BAD_RECIPE" {
		t.Errorf("no variants gave %v", err)
	}
	big := Recipe{Variants: []Variant{{Name: "big", Steps: []Step{Resize{Mode: Fit, Width: MaxSide}}}}}
	if _, err := big.Resolve(Source{Format: "webp"}); err == nil || !strings.Contains(err.Error(), "variants[0].operations[0].resize") {
		t.Errorf("a webp of %d pixels gave %v", MaxSide, err)
	}
}

func TestPagesThatAreNotThere(t *testing.T) {
	v := Variant{Output: Output{Page: 4}}
	for pages, wrong := range map[int]bool{1: true, 3: true, 4: false, 0: false} { // 0 is not known
		if _, err := v.Resolve(Source{Format: "gif", Pages: pages}); (fault.ReasonOf(err) == "BAD_RECIPE") != wrong {
			t.Errorf("page 4 of %d: %v", pages, err)
		}
	}
}

// However much is sent, little is answered.
func TestTooMuchIsOneFault(t *testing.T) {
	many := make([]Variant, 1000)
	_, err := ParseNamed(make([]string, 1000))
	for what, fields := range map[string][]fault.Field{
		"variants":   (Recipe{many}).Check(),
		"operations": Variant{Steps: make([]Step, 1000)}.Check(),
		"named":      fault.As(err).Fields,
	} {
		if len(fields) != 1 {
			t.Errorf("%s: %d faults", what, len(fields))
		}
	}
}

func TestNegotiate(t *testing.T) {
	const browser = "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"
	photo, large := Source{Format: "jpeg", Pages: 1}, Source{Format: "jpeg", Pages: 1, Width: 4250, Height: 5667}
	for _, c := range []struct {
		options, extension, accept string
		src                        Source
		want                       Format
		vary                       bool
	}{
		{"", "", browser, photo, JPEG, false},
		{"", "webp", "", photo, WebP, false},
		{"", ".JPG", "", photo, JPEG, false},
		{"q_80", "png", "", photo, PNG, false},
		{"f_avif", "jpg", "", photo, AVIF, false},
		{"f_auto", "jpg", browser, photo, AVIF, true},
		{"f_auto", "", "image/webp", photo, WebP, true},
		{"f_auto", "", "IMAGE/AVIF;q=0, image/webp ; q=0.1", photo, WebP, true},
		{"f_auto", "", "image/avif;q=0.5,image/webp;q=0.9", photo, WebP, true},
		{"f_auto", "", "image/*,*/*", photo, JPEG, true},
		{"f_auto", "", "", Source{Format: "webp", HasAlpha: true}, PNG, true},
		{"f_auto", "", browser, Source{Format: "gif", Pages: 3}, WebP, true},
		{"f_auto", "", "", Source{Format: "gif", Pages: 3}, GIF, true},
		{"f_auto", "", "", Source{Format: "tiff", Pages: 3}, JPEG, true},
		{"f_auto,pg_2", "", browser, Source{Format: "gif", Pages: 3}, AVIF, true},
		{"f_auto", "", browser, large, WebP, true},
		{"f_auto,w_3000", "", browser, large, AVIF, true},
		{"f_auto,w_3200", "", browser, large, WebP, true},
		{"f_auto,h_4000,c_fit", "", browser, large, AVIF, true},
		{"f_auto,w_9000,h_9000,c_fit", "", browser, large, JPEG, true},
		{"f_auto,w_9000,h_9000", "", browser, large, WebP, true},
		{"f_auto,w_4000,h_4000,c_pad", "", browser, photo, AVIF, true}, // of unknown size
		{"f_auto,w_4000,h_4000,c_pad", "", browser, large, WebP, true},
		{"f_auto,w_2000,h_2000,c_crop", "", browser, large, AVIF, true},
		{"f_auto,a_90/h_3000", "", browser, large, AVIF, true},
		{"f_auto,a_90/w_5000", "", browser, large, WebP, true},
		{"f_auto,w_20,h_16384,c_scale", "", "image/webp", large, JPEG, true},
	} {
		got, vary, err := mustParse(t, c.options).Negotiate(c.extension, c.accept, c.src)
		if err != nil || got.Output.Format != c.want || vary != c.vary {
			t.Errorf("%q .%s Accept %q of %v: %s, %t, %v; want %s, %t", c.options, c.extension, c.accept, c.src, got.Output.Format, vary, err, c.want, c.vary)
		}
	}
	if _, _, err := (Variant{}).Negotiate("jpgg", "", photo); fault.ReasonOf(err) != "UNKNOWN_EXTENSION" || !strings.Contains(err.Error(), `did you mean "jpeg"`) {
		t.Errorf("an unknown extension gave %v", err)
	}
}

package recipe

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"q_80,f_jpg,g_center,h_5,w_5,c_fill,a_hflip": "c_fill,h_5,w_5/a_hflip/f_jpeg,q_80",
		"w_512":                        "c_limit,w_512",
		"w_256,dpr_2":                  "c_limit,w_512",
		"c_crop,w_5,h_5,x_0":           "c_crop,h_5,w_5,x_0,y_0",
		"c_crop,w_5,h_5,g_xy":          "c_crop,h_5,w_5,x_0,y_0",
		"c_pad,w_5,h_5,b_FFF/b_black":  "b_ffffff,c_pad,h_5,w_5/b_000000",
		"e_blur:01.50":                 "e_blur:1.5",
		"fl_lossless.keep_iptc,f_webp": "f_webp,fl_keep_metadata.lossless",
		"a_vflip.hflip":                "a_hflip.vflip",
	} {
		v, err := Parse(text)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		} else if got := Canonical(v); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestKeyTellsWhatDiffers(t *testing.T) {
	a := Variant{Name: "a", Steps: []Step{Resize{Width: 5}}}
	if Key("d", a, "1") != Key("d", Variant{Name: "b", Steps: []Step{Resize{Mode: Limit, Width: 5}}}, "1") {
		t.Error("equal variants have two keys")
	}
	seen := map[string]bool{Key("d", a, "1"): true, Key("e", a, "1"): true, Key("d", a, "2"): true, Key("d", Variant{}, "1"): true}
	if len(seen) != 4 {
		t.Error("different results share a key")
	}
	// Results are found again by their keys after an upgrade: this one may change only together with EngineVersion.
	if got, want := Key("d", a, "1"), "cd7b53b986301d0ba57552ff9271132a9879c0eb2c5026b367ed95e5b94d1311"; got != want {
		t.Errorf("Key = %s, want %s", got, want)
	}
}

func TestJSON(t *testing.T) {
	r := Recipe{Variants: []Variant{
		{Name: "card", Steps: []Step{Resize{Mode: Fill, Width: 5, Height: 6, Gravity: Auto}}, Output: Output{Format: WebP, Quality: 80, Background: Transparent}},
		{Name: "plain"},
	}}
	b, err := json.Marshal(r)
	const want = `{"variants":[{"name":"card","options":"c_fill,g_auto,h_6,w_5/b_transparent,f_webp,q_80"},{"name":"plain","options":""}]}`
	if err != nil || string(b) != want {
		t.Fatalf("%s, %v\nwant %s", b, err, want)
	}
	var back Recipe
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, back); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if err := json.Unmarshal([]byte(`{"variants":[{"name":"x","options":"w_0"}]}`), &back); err == nil {
		t.Error("wrong options were taken")
	}
}

// What Parse takes is valid, has one canonical form, and is read back from it unchanged.
func FuzzCanonical(f *testing.F) {
	for _, text := range []string{
		"", "w_512,h_512,c_fill,g_auto/e_sharpen:0.6/f_webp,q_80", "c_crop,w_9,h_8,x_1,y_2,dpr_2", "a_-90.hflip.vflip,e_blur:3.25,b_F00", "c_pad,w_9,h_9,b_rgb:11223344",
		"fl_lossless.keep_iptc,f_avif", "w_0.5", "c_fil", "w_1//", "e_blur:NaN", "dpr_0.1,w_3", "f_auto,q_100/a_90/a_90",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			return
		}
		if faults := v.Check(); len(faults) > 0 {
			t.Fatalf("Parse(%q) took what Check refuses: %v", text, faults)
		}
		form := Canonical(v)
		back, err := Parse(form)
		if err != nil {
			t.Fatalf("Parse(%q), the canonical form of %q: %v", form, text, err)
		}
		if !reflect.DeepEqual(v, back) || Canonical(back) != form {
			t.Fatalf("%q -> %q -> %#v, want %#v", text, form, back, v)
		}
		for _, src := range []Source{{Format: "jpeg"}, {Format: "heic", HasAlpha: true}, {Format: "webp"}, {Format: "gif", Pages: 9}} {
			full, _, err := v.Negotiate("", "image/webp", src)
			if err != nil {
				continue
			}
			again, err := Parse(Canonical(full))
			again.Name = full.Name
			if err != nil || !reflect.DeepEqual(full, again) {
				t.Fatalf("resolved %q for %v: %#v comes back as %#v, %v", text, src, full, again, err)
			}
			if twice, err := full.Resolve(src); err != nil || !reflect.DeepEqual(full, twice) {
				t.Fatalf("resolving %q twice for %v gives %#v, then %#v, %v", text, src, full, twice, err)
			}
		}
	})
}

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
		"w_512":                         "c_limit,w_512",
		"w_256,dpr_2":                   "c_limit,w_512",
		"c_crop,w_5,h_5,x_0":            "c_crop,h_5,w_5,x_0,y_0",
		"c_crop,w_5,h_5,g_xy":           "c_crop,h_5,w_5,x_0,y_0",
		"c_pad,w_5,h_5,b_FFF/b_black":   "b_ffffff,c_pad,h_5,w_5/b_000000",
		"e_blur:01.50":                  "e_blur:1.5",
		"fl_lossless.keep_iptc,f_webp":  "f_webp,fl_keep_metadata.lossless",
		"a_vflip.hflip":                 "a_hflip.vflip",
		"q_80:444,f_jpg,fl_progressive": "f_jpeg,fl_chroma_444.progressive,q_80",
		"fl_chroma_420.png8/w_5/pg_02":  "c_limit,w_5/fl_chroma_420.png8,pg_2",
		"fl_strip_profile,pg_1":         "pg_1",
		"e_brightness:-020.50":          "e_brightness:-20.5",
		"e_hue:-180/e_hue:-0/e_gamma:1/e_contrast:0/e_gamma:1.10":                                "e_hue:180/e_gamma:1.1",
		"e_sepia/e_grayscale/e_equalize,w_5":                                                     "e_sepia:80/e_grayscale/c_limit,w_5/e_equalize",
		"e_pixelate_region,w_9,h_8,y_2":                                                          "e_pixelate_region:5,h_8,w_9,x_0,y_2",
		"r_1:2:3:4,e_pixelate:9,w_5,bo_1px_solid_black":                                          "c_limit,w_5/e_pixelate:9/bo_1px_solid_000000,r_1:2:3:4",
		"c_lfill,w_5,h_6,g_auto:entropy/c_lpad,w_5,h_6,b_f00,g_center/c_mfit,w_5":                "c_lfill,g_entropy,h_6,w_5/b_ff0000,c_lpad,h_6,w_5/c_mfit,w_5",
		"c_thumb,w_5,h_6,g_center":                                                               "c_fill,h_6,w_5",
		"c_thumb,w_5,h_6":                                                                        "c_fill,g_auto,h_6,w_5",
		"c_fill,w_5,h_6,g_auto:entropy/c_pad,w_5,h_6,g_south,x_-3,y_02":                          "c_fill,g_entropy,h_6,w_5/c_pad,g_south,h_6,w_5,x_-3,y_2",
		"c_fill,w_5,h_6,g_boxes:0.50:0.1:1.0:0.0001:w1:3:4:5:6:w0.5":                             "c_fill,g_boxes:0.5:0.1:1.0:0.0001:3:4:5:6:w0.5,h_6,w_5",
		"c_crop,w_5,h_6,g_boxes:9:4:5:6:3:4:5:6,x_0":                                             "c_crop,g_boxes:3:4:5:6:9:4:5:6,h_6,w_5",
		"e_gradient:07:F00:white:0.0:01/e_gradient:7:F00:000000ff:0.0:0.5":                       "e_gradient:7:ff0000:ffffff/e_gradient:7:ff0000:000000:0:0.5",
		"e_blur_region:2.50,w_9,h_8,x_1":                                                         "e_blur_region:2.5,h_8,w_9,x_1,y_0",
		"e_trim,w_5":                                                                             "e_trim:10/c_limit,w_5",
		"c_fill,w_5,h_6,g_xy_center,x_0.50,y_1.0":                                                "c_fill,g_xy_center,h_6,w_5,x_0.5,y_1.0",
		"c_crop,w_5,h_6,g_xy_center,x_3,y_04,dpr_2":                                              "c_crop,g_xy_center,h_12,w_10,x_3,y_4",
		"c_pad,w_5,h_6,b_blurred/b_white":                                                        "b_blurred,c_pad,h_6,w_5/b_ffffff",
		"r_5:5:5:5/r_max":                                                                        "r_5/r_max",
		"e_tint:30:FFF/e_negate,w_5":                                                             "e_tint:30:ffffff/c_limit,w_5/e_negate",
		"e_duotone:001:white/e_duotone:001:abc:3":                                                "e_duotone:000011:ffffff:100/e_duotone:000011:aabbcc:3",
		"fl_strip_profile.keep_iptc":                                                             "fl_keep_metadata.strip_profile",
		"l_img_01J,w_0.50,h_1.0,g_center,o_100,a_-180,fl_cutter.tiled,f_png":                     "a_180,fl_cutter.tiled,h_1.0,l_img_01J,w_0.5/f_png",
		"l_img_01J,w_20,x_-3,y_0,dpr_2,o_60,g_east/b_white":                                      "g_east,l_img_01J,o_60,w_40,x_-6/b_ffffff",
		"l_text:sans_40:a%2Cb%2fc_.%25:":                                                         "l_text:sans_40:b64:YSxiL2NfLiU6",
		"l_text:DejaVu%20Sans_20_right_bold_italic:b64:8J-Yig==,co_F00,b_00000088,w_9,y_2,dpr_2": "b_00000088,co_ff0000,l_text:DejaVu Sans_40_bold_italic_right:b64:8J-Yig,w_18,y_4",
		"cs_p3,w_5,f_png/fl_png8":                                                                "c_limit,w_5/cs_p3,f_png,fl_png8",
		"e_rgb:-0:01.50:-100/e_rgb:0:0:0":                                                        "e_rgb:0:1.5:-100",
		"e_convolve:01:-0:0.50:0:0:0:0:0:0:normalize":                                            "e_convolve:1:0:0.5:0:0:0:0:0:0:normalize",
		"e_convolve:1:0:0:0:-1:0:0:0:0:normalize":                                                "e_convolve:1:0:0:0:-1:0:0:0:0",
		"e_convolve:0:0:0:0:7:0:0:0:0:normalize/e_convolve:0:0:0:0:1:0:0:0:0":                    "",
		"cs_srgb": "",
	} {
		v, err := Parse(text)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		} else if got := Canonical(v); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestJSONOfAPoint(t *testing.T) {
	v := Variant{Name: "v", Steps: []Step{
		Crop{Width: 1, Height: 1, Gravity: XYCenter, Focus: Point{X: 1.0 / 3, Y: 1}}, Crop{Width: 1, Height: 1, Gravity: XYCenter, Focus: Point{X: 0.7, Pixels: true}},
	}}
	b, err := json.Marshal(v)
	const want = `{"name":"v","options":"c_crop,g_xy_center,h_1,w_1,x_0.333333,y_1.0/c_crop,g_xy_center,h_1,w_1,x_1,y_0"}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v\nwant %s", b, err, want)
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

// What comes by another way than the grammar has more digits than it, and must be found again all the same.
func TestJSONOfManyDigits(t *testing.T) {
	v := Variant{Name: "v", Steps: []Step{Blur{Sigma: 1.0 / 3}, Sharpen{2.0 / 3}, Adjust{Effect: Gamma, Amount: 1e-7 + 1}, Adjust{Effect: Hue, Amount: 100.0 / 3}}}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back Variant
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	want := []Step{Blur{Sigma: 0.333333}, Sharpen{0.666667}, Adjust{Effect: Hue, Amount: 33.333333}}
	if d := cmp.Diff(want, back.Steps); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// What Parse takes is valid, has one canonical form, and is read back from it unchanged.
func FuzzCanonical(f *testing.F) {
	for _, text := range []string{
		"", "w_512,h_512,c_fill,g_auto/e_sharpen:0.6/f_webp,q_80", "c_crop,w_9,h_8,x_1,y_2,dpr_2", "a_-90.hflip.vflip,e_blur:3.25,b_F00", "c_pad,w_9,h_9,b_rgb:11223344",
		"fl_lossless.keep_iptc,f_avif", "w_0.5", "c_fil", "w_1//", "e_blur:NaN", "dpr_0.1,w_3", "f_auto,q_100/a_90/a_90",
		"q_80:444,fl_progressive.strip_profile.keep_metadata,f_jpg", "fl_png8.progressive,pg_2", "r_max,bo_3px_solid_f008/r_1:2:3:4,e_pixelate:9", "e_trim:30,c_fill,w_5,h_6,g_xy_center,x_0.123456,y_0.0", "c_crop,w_5,h_6,g_xy_center,x_3,y_0", "c_pad,w_5,h_6,b_blurred,f_jpg", "e_pixelate_region:9,x_1,y_2,w_3,h_4,dpr_2",
		"c_lfill,w_5,h_6,g_xy_center,x_3,y_0/c_lpad,w_5,h_6,g_south,x_-3,b_blurred/c_mfit,h_5", "c_thumb,w_5,h_6,g_boxes:0.5:0.1:1.0:0.0001:w1:3:4:5:6:w0.5", "c_thumb,w_5,h_6/c_fill,w_5,h_6,g_north,x_-3,dpr_0.5", "e_gradient:7:F00:ff00ff88:0.25:0.5/e_blur_region:3,w_4,h_5",
		"e_brightness:-5/e_gamma:1", "e_sepia/e_tint:3:f00/e_duotone:000:fff/e_equalize/e_rgb:1:-2.5:0/e_noise:2.5/e_convolve:1:2:1:2:-4.5:2:1:2:1:normalize", "e_hue:-180,f_png/e_saturation:-0",
		"l_img_01J,w_0.2,g_south_east,x_10,o_60,a_-30.5,fl_tiled", "l_text:sans_40_bold:a%2Cb\n%,co_f00,b_ffffff88,w_9,x_-4/l_text:x_9:b64:8J-Yig,fl_cutter", "o_5", "l_sha256:00",
		"q_95:444", "q_5:420,fl_chroma_444", "pg_1,fl_chroma_420,f_avif",
		"q_auto,bytes_5000", "w_320:640:640,f_webp", "e_trim,c_fill,w_640:320,h_90,dpr_1.5/a_90", "w_5:5,c_fit", "q_auto:low,f_auto,fl_chroma_444", "q_90:444,bytes_999", "q_95:444", "q_5:420,fl_chroma_444", "pg_1,fl_chroma_420,f_avif",
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
		back, err := ParseCanonical(form)
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
			again, err := ParseCanonical(Canonical(full))
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

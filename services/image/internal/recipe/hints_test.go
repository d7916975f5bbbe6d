package recipe

import (
	"strings"
	"testing"

	"calotype/kit/fault"
)

func TestHintsDecide(t *testing.T) {
	phone, desk := Hints{DPR: 2.625, Width: 1079, Viewport: 412}, Hints{DPR: 1, Viewport: 1700}
	both := Told{DPR: true, Width: true}
	for _, c := range []struct {
		text  string
		hints Hints
		want  string
		told  Told
	}{
		{"w_300,h_200,dpr_auto,c_fill", phone, "c_fill,h_600,w_900", Told{DPR: true}},
		{"w_300,dpr_auto", desk, "c_limit,w_300", Told{DPR: true}},
		{"w_300,dpr_auto", Hints{DPR: 1.01}, "c_limit,w_450", Told{DPR: true}},
		{"w_300,dpr_auto", Hints{DPR: 99}, "c_limit,w_900", Told{DPR: true}},
		{"w_300,dpr_auto", Hints{}, "c_limit,w_300", Told{DPR: true}},
		{"w_300,dpr_auto:1.7", Hints{}, "c_limit,w_510", Told{DPR: true}},
		{"w_auto", phone, "c_limit,w_1280", both},
		{"w_auto,dpr_auto", phone, "c_limit,w_1280", both},
		{"w_auto,h_100,dpr_auto,c_fill", phone, "c_fill,h_300,w_1280", both},
		{"w_auto", desk, "c_limit,w_1920", both},
		{"w_auto", Hints{Viewport: 412, DPR: 2.6}, "c_limit,w_1280", both},
		{"w_auto", Hints{Width: 90000}, "c_limit,w_5120", both},
		{"w_auto", Hints{}, "c_limit,w_1280", both},
		{"w_auto:600", Hints{DPR: 2}, "c_limit,w_1280", both},
		{"w_auto:600", Hints{}, "c_limit,w_640", both},
		{"w_300", phone, "c_limit,w_300", Told{}},
	} {
		v, told, err := ParseFly(c.text, Fly{Hints: c.hints})
		if err != nil || Canonical(v) != c.want || told != c.told {
			t.Errorf("%s with %+v: %s, %+v, %v; want %s, %+v", c.text, c.hints, Canonical(v), told, err, c.want, c.told)
		}
	}
}

func wants(t *testing.T, text, says string, err error) {
	t.Helper()
	if e := fault.As(err); e == nil || e.Reason != "BAD_OPTIONS" || len(e.Fields) != 1 || !strings.Contains(e.Fields[0].Message, says) {
		t.Errorf("%s: %v; want one fault with %q", text, err, says)
	}
}

func TestHintsAreForRequests(t *testing.T) {
	for _, text := range []string{"w_auto", "w_auto:600,h_5", "w_5,dpr_auto", "w_5,dpr_auto:2"} {
		_, err := Parse(text)
		wants(t, text, "client hints", err)
	}
	for text, says := range map[string]string{
		"w_auto:0": "0 is not within 1..16384", "w_auto:x": "no whole number", "w_5,dpr_auto:9": "within 0.1..5", "c_crop,w_auto,h_5": "for resizing", "h_auto": "only whole",
	} {
		_, _, err := ParseFly(text, Fly{})
		wants(t, text, says, err)
	}
}

func TestPresetsByName(t *testing.T) {
	catalog, err := Presets{
		"card": {Variants: []string{"card:c_fill,h_5,w_6/f_webp,q_70", "big:w_900/f_avif"}},
		"logo": {Variants: []string{"only:w_64/f_png,fl_png8"}},
		"hero": {Variants: []string{"wide:w_320:640,f_webp/b_f00"}},
	}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	fly := Fly{Presets: catalog}
	for text, want := range map[string]string{
		"t_card":                    "c_fill,h_5,w_6/f_webp,q_70",
		"t_card:big/e_negate":       "c_limit,w_900/e_negate/f_avif",
		"a_90/t_logo":               "a_90/c_limit,w_64/f_png,fl_png8",
		"t_hero:wide_640":           "c_limit,w_640/b_ff0000,f_webp",
		"t_card,q_5":                "c_fill,h_5,w_6/f_webp,q_5",
		"t_card,q_auto":             "c_fill,h_5,w_6/f_webp,q_auto:good",
		"t_card/f_webp,fl_lossless": "c_fill,h_5,w_6/f_webp,fl_lossless",
		"t_card/f_png":              "c_fill,h_5,w_6/f_png",
		"t_card,f_auto":             "c_fill,h_5,w_6/f_auto",
		"t_card/t_logo":             "c_fill,h_5,w_6/c_limit,w_64/f_png,fl_png8",
	} {
		v, told, err := ParseFly(text, fly)
		if err != nil || Canonical(v) != want || told != (Told{}) {
			t.Errorf("%s: %s, %+v, %v; want %s", text, Canonical(v), told, err, want)
		}
	}
	for text, says := range map[string]string{
		"t_cart":         `did you mean "card"?`,
		"t_card:bigg":    `did you mean "big"?`,
		"t_hero":         "t_hero:wide_320, t_hero:wide_640",
		"t_hero:wide_32": `did you mean "wide_320"?`,
		"t_card,w_5":     "part the two by a slash",
		"t_logo,q_50":    "png takes no quality",
		"t_card,f_jpeg,": "nothing at step 1",
	} {
		_, _, err := ParseFly(text, fly)
		wants(t, text, says, err)
	}
	_, err = Parse("t_card")
	wants(t, "t_card", "in addresses under /i/ only", err)
}

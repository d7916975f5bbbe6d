package recipe

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/fault"
)

var someDigest = strings.Repeat("0a", 32)

func TestParseOverlay(t *testing.T) {
	hello := Text{Text: "Hello, world", Font: "sans", Size: 40, Align: Left, Color: "000000"}
	for text, want := range map[string]Overlay{
		"l_img_01J": {Image: "img_01J", Gravity: Center, Opacity: 100},
		"l_img_01J,w_0.2,g_south_east,x_10,y_-10,o_60,a_30,fl_tiled": {},
		"l_img_01J,w_200,h_90,g_south_east,x_10,y_-10,o_60,a_-30.5": {
			Image: "img_01J", Width: 200, Height: 90, Gravity: SouthEast, X: 10, Y: -10, Opacity: 60, Angle: -30.5},
		"l_img_01J,w_0.2,h_1.0,fl_tiled.cutter,x_4,y_5": {
			Image: "img_01J", Width: 0.2, Height: 1, Relative: true, Gravity: Center, X: 4, Y: 5, Opacity: 100, Tiled: true, Mask: true},
		"l_text:sans_40:Hello%2C world":           {Text: hello, Gravity: Center, Opacity: 100},
		"l_text:sans_40_left:Hello%2c%20world":    {Text: hello, Gravity: Center, Opacity: 100},
		"l_text:sans_40:b64:SGVsbG8sIHdvcmxk":     {Text: hello, Gravity: Center, Opacity: 100},
		"dpr_2,l_text:sans_20:Hello%2C world,x_0": {Text: hello, Gravity: Center, Opacity: 100},
		"l_text:DejaVu Sans_9_bold_italic_center:b64%3A_.:/,co_F008,b_transparent,w_400,g_south,y_20": {},
		"l_text:DejaVu Sans_9_bold_italic_center:b64%3A_.:%2F,co_F00,b_12345678,w_400,g_south,y_20": {
			Text:    Text{Text: "b64:_.:/", Font: "DejaVu Sans", Size: 9, Bold: true, Italic: true, Align: Middle, Color: "ff0000", Background: "12345678", Width: 400},
			Gravity: South, Y: 20, Opacity: 100},
	} {
		v, err := Parse(text)
		if want == (Overlay{}) {
			if err == nil {
				t.Errorf("Parse(%q): no fault", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
		} else if d := cmp.Diff([]Step{want}, v.Steps); d != "" {
			t.Errorf("Parse(%q): -want +got\n%s", text, d)
		}
	}
}

func TestParseSaysWhatIsWrongWithAnOverlay(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	for text, want := range map[string][]string{
		"l_logo":                             {"options[0].l", "no image's identifier"},
		"l_sha256:" + someDigest:             {"options[0].l", "named by the identifier"},
		"w_5/l_img_1,c_fill":                 {"options[1].c", "step 2, character 13", "slash"},
		"l_img_1,w_1.5":                      {"options[0].w", "1.5 is not a part"},
		"l_img_1,w_0":                        {"options[0].w", "no size"},
		"l_img_1,w_0.5,h_20":                 {"options[0].h", "other kind"},
		"l_img_1,g_auto":                     {"options[0].g", "gravity of an overlay"},
		"l_img_1,g_bottom":                   {"options[0].g", `did you mean "south"?`},
		"l_img_1,o_0":                        {"options[0].o", "1..100"},
		"l_img_1,o_101":                      {"options[0].o", "1..100"},
		"l_img_1,a_181":                      {"options[0].a", "-180..180"},
		"l_img_1,a_hflip":                    {"options[0].a", "no number"},
		"l_img_1,fl_tile":                    {"options[0].fl", `did you mean "tiled"?`},
		"l_img_1,fl_lossless":                {"options[0].fl", "tiled, cutter"},
		"l_img_1,fl_tiled,x_-1":              {"options[0].x", "-1 is not within 0"},
		"l_img_1,fl_cutter,o_50":             {"options[0].o", "a mask has none"},
		"l_img_1,co_fff":                     {"options[0].co", "l_text"},
		"l_img_1,b_fff":                      {"options[0].b", "l_text"},
		"l_img_1,x_1.5":                      {"options[0].x", "no whole number"},
		"o_50":                               {"options[0].o", "l_"},
		"w_5,co_fff":                         {"options[0].co", "l_"},
		"watermark_img1":                     {"options[0]", `did you mean "l_img1"?`},
		"l_text:sans:Hello":                  {"options[0].l", "l_text:sans_40:Hello"},
		"l_text:_40:Hello":                   {"options[0].l", "font is missing"},
		"l_text:sans_big:Hello":              {"options[0].l", "no whole number"},
		"l_text:sans_0:Hello":                {"options[0].l", "4..1000"},
		"l_text:sans_3:Hello":                {"options[0].l", "3 is not within 4..1000"},
		"l_text:sans_40_bolt:Hello":          {"options[0].l", `did you mean "bold"?`},
		"l_text:sans@wght=9_40:Hello":        {"options[0].l", "no family"},
		"l_text:a%2Cb_40:Hello":              {"options[0].l", "no family"},
		"l_text:sans_40: %20":                {"options[0].l", "nothing to write"},
		"l_text:sans_40:100%":                {"options[0].l", "%25"},
		"l_text:sans_40:b64:%%%":             {"options[0].l", "base64url"},
		"l_text:sans_40:a%00b":               {"options[0].l", "U+0000 is a control character"},
		"l_text:sans_40:a%E2%80%A8b":         {"options[0].l", "U+2028 is a control character"},
		"l_text:sans_40:a%FFb":               {"options[0].l", "not UTF-8"},
		"l_text:sans_40:" + long:             {"options[0].l", "501 characters"},
		"l_text:s_9:x" + nl(50):              {"options[0].l", "51 lines"},
		"l_text:sans_40:Hello,h_5":           {"options[0].h", "as high as its lines"},
		"l_text:sans_40:Hello,w_0.5":         {"options[0].w", "whole numbers"},
		"l_text:sans_40:Hello,co_redd":       {"options[0].co", "no colour"},
		"l_text:sans_40:Hello, world":        {"options[0]", "%252C in an address"},
		strings.Repeat("w_1/", 1024) + "w_5": {"options", "longer than 4096"},
	} {
		_, err := Parse(text)
		f := fault.As(err)
		if f == nil || f.Reason != "BAD_OPTIONS" {
			t.Errorf("%.80q: %v", text, err)
			continue
		}
		if len(f.Fields) != 1 || f.Fields[0].Path != want[0] {
			t.Errorf("%.80q: %+v, want one at %s", text, f.Fields, want[0])
			continue
		}
		for _, w := range want[1:] {
			if !strings.Contains(f.Fields[0].Message, w) {
				t.Errorf("%.80q: %q, want %q in it", text, f.Fields[0].Message, w)
			}
		}
	}
}

func nl(n int) string { return strings.Repeat("%0A", n) + "y" }

// What a manager resolved is read back from the queue and the store, and from nowhere else; the key tells the bytes and not the identifier.
func TestOverlaysByDigest(t *testing.T) {
	v := Variant{Name: "v", Steps: []Step{Overlay{Digest: someDigest, Width: 0.25, Relative: true, Opacity: 60, Tiled: true, X: 9}}}
	b, err := json.Marshal(v)
	if want := `{"name":"v","options":"fl_tiled,l_sha256:` + someDigest + `,o_60,w_0.25,x_9"}`; err != nil || string(b) != want {
		t.Errorf("%s, %v\nwant %s", b, err, want)
	}
	var back Variant
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v.normal(), back); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	other := Variant{Steps: []Step{Overlay{Digest: strings.Repeat("0b", 32), Width: 0.25, Relative: true, Opacity: 60, Tiled: true, X: 9}}}
	if Key("d", v, "2") == Key("d", other, "2") {
		t.Error("two watermarks share a key")
	}
	// A text of the longest kind is longer than what callers may write at once, and read back all the same.
	long := Variant{Steps: []Step{
		Overlay{Text: Text{Text: strings.Repeat("\U0001F60A", MaxText)}}, Overlay{Text: Text{Text: strings.Repeat("\U0001F60A", MaxText)}},
	}}
	if again, err := ParseCanonical(Canonical(long)); err != nil || len(Canonical(long)) < MaxOptions || !cmp.Equal(long.normal(), again) {
		t.Errorf("%v, %d characters", err, len(Canonical(long)))
	}
}

func TestOverlaysAreCounted(t *testing.T) {
	v := Variant{Name: "v"}
	for i := range MaxOverlays + 3 {
		v.Steps = append(v.Steps, Overlay{Image: fmt.Sprintf("img_%d", i)})
	}
	fields := Recipe{[]Variant{v}}.Check()
	if len(fields) != 1 || fields[0].Path != "variants[0].operations[8].overlay.image_id" {
		t.Errorf("got %v", fields)
	}
	for i := range v.Steps {
		v.Steps[i] = Overlay{Image: "img_1"}
	}
	if fields := (Recipe{[]Variant{v}}).Check(); len(fields) > 0 {
		t.Errorf("one image many times: %v", fields)
	}
}

func TestOverlaid(t *testing.T) {
	r := Recipe{[]Variant{{Name: "a", Steps: []Step{Blur{Sigma: 1}, Overlay{Image: "img_1"}}}, {Name: "b", Steps: []Step{Overlay{Image: "img_2"}, Overlay{Text: Text{Text: "x"}}}}}}
	var paths []string
	done := r.Overlaid(func(path string, s Overlay) Overlay {
		if paths = append(paths, path+" "+s.Image); s.Image != "" {
			s.Image, s.Digest = "", someDigest
		}
		return s
	})
	want := []string{"variants[0].operations[1].overlay img_1", "variants[1].operations[0].overlay img_2", "variants[1].operations[1].overlay "}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{someDigest}, done.Layers()); d != "" || len(r.Layers()) != 0 {
		t.Errorf("%s; before: %v", d, r.Layers())
	}
}

package recipe

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/fault"
)

// FuzzParse looks for a text that the grammar takes and whose canonical form it does not, or reads otherwise.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "w_512,h_512,c_fill,g_auto/e_sharpen:0.6/f_webp,q_80", "c_pad,w_9,h_9,b_F00/b_rgb:00ff00", "c_crop,w_9,h_8,x_1,y_2,dpr_2.5",
		"a_vflip.90.hflip", "e_trim:30,w_9/e_tint:20:f80,r_20:0:40:0,bo_4px_solid_F00", "c_fill,w_9,h_8,g_xy_center,x_0.3,y_1.0",
		"c_pad,w_9,h_8,b_blurred,g_south_west", "e_pixelate_region:20,w_9,h_8,x_1", "e_duotone:black:ffeecc:30/e_hue:-7.5/e_sepia/e_equalize/e_rgb:20:-7.5:0/e_noise:9/e_convolve:1:2:1:2:-4.5:2:1:2:1:normalize",
		"fl_progressive.png8,f_png/pg_3", "q_70:444,f_avif,b_11223344", "fl_strip_profile.keep_metadata,f_auto", "r_max/e_blur:0.5",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			wrong := fault.As(err)
			if wrong == nil || wrong.Kind != fault.Invalid || len(wrong.Fields) == 0 {
				t.Fatalf("%q is refused by %v", text, err)
			}
			for _, field := range wrong.Fields {
				if field.Message == "" || !strings.HasPrefix(field.Path, "options") {
					t.Errorf("%q is refused by %+v", text, field)
				}
			}
			return
		}
		if wrong := v.Check(); len(wrong) > 0 {
			t.Fatalf("%q is taken, and wrong: %v", text, wrong)
		}
		canonical := Canonical(v)
		again, err := Parse(canonical)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, canonical, err)
		}
		if d := cmp.Diff(v, again); d != "" {
			t.Errorf("%q is written as %q, which reads otherwise: -was +is\n%s", text, canonical, d)
		}
		if twice := Canonical(again); twice != canonical {
			t.Errorf("%q is written as %q, and then as %q", text, canonical, twice)
		}
		b, err := json.Marshal(v)
		var kept Variant
		if err == nil {
			err = json.Unmarshal(b, &kept)
		}
		if d := cmp.Diff(v, kept); d != "" || err != nil {
			t.Errorf("%q is kept as %s: %v, -was +is\n%s", text, b, err, d)
		}
	})
}

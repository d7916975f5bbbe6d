package rpc

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/recipe"
)

// FuzzRecipeFromProto looks for a message that is taken, and is no recipe, or another one when it is written as a message or as
// options.
func FuzzRecipeFromProto(f *testing.F) {
	for _, text := range []string{
		"w_512,h_512,c_fill,g_auto/e_sharpen:0.6/f_webp,q_80", "c_pad,w_9,h_9,b_F00/b_rgb:00ff00", "c_crop,w_9,h_8,x_1,y_2/a_vflip.90",
		"e_trim:30,w_9/e_tint:20:f80,r_20:0:40:0,bo_4px_solid_F00", "c_fill,w_9,h_8,g_xy_center,x_0.3,y_1.0", "e_pixelate_region:20,w_9,h_8,x_1",
		"e_duotone:black:ffeecc:30/e_hue:-7.5/e_sepia/e_equalize/e_rgb:20:-7.5:0/e_noise:9/e_convolve:1:2:1:2:-4.5:2:1:2:1:normalize/fl_progressive.png8,f_png/pg_3", "q_70:444,f_avif/fl_strip_profile.keep_metadata/r_max/e_blur:0.5",
	} {
		v, err := recipe.Parse(text)
		if err != nil {
			f.Fatal(err)
		}
		v.Name = "v"
		b, err := proto.Marshal(&imagev1.Recipe{Variants: []*imagev1.Variant{VariantToProto(v)}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p imagev1.Recipe
		if proto.Unmarshal(data, &p) != nil {
			return
		}
		r, err := RecipeFromProto("recipe", &p)
		if err != nil {
			if wrong := fault.As(err); wrong == nil || wrong.Kind != fault.Invalid || len(wrong.Fields) == 0 {
				t.Fatalf("%v is refused by %v", &p, err)
			}
			return
		}
		again, err := RecipeFromProto("", RecipeToProto(r))
		if err != nil || len(again.Variants) != len(r.Variants) {
			t.Fatalf("%v is written as %v: %v", &p, RecipeToProto(r), err)
		}
		for i, v := range r.Variants {
			canonical := recipe.Canonical(v)
			if other := recipe.Canonical(again.Variants[i]); other != canonical || again.Variants[i].Name != v.Name {
				t.Errorf("%v is %q, and then %q", &p, canonical, other)
			}
			parsed, err := recipe.Parse(canonical)
			if err != nil {
				t.Fatalf("%v is written as %q: %v", &p, canonical, err)
			}
			if other := recipe.Canonical(parsed); other != canonical {
				t.Errorf("%v is written as %q, which reads as %q", &p, canonical, other)
			}
		}
	})
}

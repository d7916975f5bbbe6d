package recipe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/fault"
)

// made lists what a recipe comes to for an original: "name options".
func made(t *testing.T, r Recipe, src Source) []string {
	t.Helper()
	full, err := r.Resolve(src)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, v := range full.Variants {
		out = append(out, v.Name+" "+Canonical(v))
	}
	return out
}

func TestSetIsMadeInEachWidth(t *testing.T) {
	for _, c := range []struct {
		options string
		src     Source
		want    []string
	}{
		{"w_320:640,f_webp", Source{}, []string{"s_320 c_limit,w_320/b_transparent,f_webp,q_80", "s_640 c_limit,w_640/b_transparent,f_webp,q_80"}},
		{"c_fill,w_640:1280:100,h_427/a_90/w_50,f_png", Source{}, []string{
			"s_100 c_fill,h_67,w_100/a_90/c_limit,w_50/b_transparent,f_png", "s_640 c_fill,h_427,w_640/a_90/c_limit,w_50/b_transparent,f_png",
			"s_1280 c_fill,h_854,w_1280/a_90/c_limit,w_50/b_transparent,f_png"}},
		{"w_10:20,dpr_2,f_png", Source{}, []string{"s_20 c_limit,w_20/b_transparent,f_png", "s_40 c_limit,w_40/b_transparent,f_png"}},
		// What would be the original's width again and again is made once.
		{"w_320:1000:1001:4000,f_png", Source{Format: "jpeg", Width: 1000, Height: 500}, []string{"s_320 c_limit,w_320/b_transparent,f_png", "s_1000 c_limit,w_1000/b_transparent,f_png"}},
		{"w_320:1100:4000,f_png", Source{Format: "jpeg", Width: 1000, Height: 500}, []string{"s_320 c_limit,w_320/b_transparent,f_png", "s_1100 c_limit,w_1100/b_transparent,f_png"}},
		{"a_90/w_320:600:700,f_png", Source{Format: "jpeg", Width: 1000, Height: 500}, []string{"s_320 a_90/c_limit,w_320/b_transparent,f_png", "s_600 a_90/c_limit,w_600/b_transparent,f_png"}},
		{"w_90:95,f_png/c_crop,w_5,h_5", Source{Format: "jpeg", Width: 100, Height: 100}, []string{
			"s_90 c_limit,w_90/c_crop,h_5,w_5/b_transparent,f_png", "s_95 c_limit,w_95/c_crop,h_5,w_5/b_transparent,f_png"}},
		{"c_fit,w_320:1100,f_png", Source{Format: "jpeg", Width: 10, Height: 5}, []string{"s_320 c_fit,w_320/b_transparent,f_png", "s_1100 c_fit,w_1100/b_transparent,f_png"}},
		{"w_320:1100,f_png,pg_2", Source{Format: "tiff", Pages: 2, Width: 10, Height: 5}, []string{"s_320 c_limit,w_320/b_transparent,f_png,pg_2", "s_1100 c_limit,w_1100/b_transparent,f_png,pg_2"}},
	} {
		v := mustParse(t, c.options)
		v.Name = "s"
		if d := cmp.Diff(c.want, made(t, Recipe{[]Variant{v}}, c.src)); d != "" {
			t.Errorf("%s of %v: -want +got\n%s", c.options, c.src, d)
		}
	}
}

// In the contract the widths stand beside the operations.
func TestSetOfOperations(t *testing.T) {
	for _, c := range []struct {
		v    Variant
		want string
	}{
		{Variant{Widths: []int{320}}, "c_limit,w_320:320"},
		{Variant{Widths: []int{320, 640}, Steps: []Step{Rotate{90}}}, "c_limit,w_320:640/a_90"},
		{Variant{Widths: []int{320, 640}, Steps: []Step{Resize{Width: 5, Mode: Fit}}}, "c_fit,w_320:640"},
		{Variant{Widths: []int{320, 640}, Steps: []Step{Rotate{90}, Resize{Width: 1920, Height: 1080, Mode: Fill}}}, "a_90/c_fill,h_360,w_640:320"},
		{Variant{Widths: []int{320, 640}, Steps: []Step{Resize{Width: 320, Height: 100, Mode: Fill}, Resize{Width: 7}}}, "c_fill,h_100,w_320:640/c_limit,w_7"},
	} {
		if got := Canonical(c.v); got != c.want {
			t.Errorf("%+v is %q, want %q", c.v, got, c.want)
		}
		if back := mustParse(t, c.want); Canonical(back) != c.want || !slices.Equal(back.Widths, c.v.Widths) {
			t.Errorf("%q comes back as %q", c.want, Canonical(back))
		}
		c.v.Name = "s"
		text, err := json.Marshal(c.v)
		var back Variant
		if err != nil || json.Unmarshal(text, &back) != nil || Canonical(back) != c.want {
			t.Errorf("%s, %v", text, err)
		}
		if d := cmp.Diff(made(t, Recipe{[]Variant{c.v}}, Source{}), made(t, Recipe{[]Variant{back}}, Source{})); d != "" {
			t.Errorf("what is kept of %q is another: %s", c.want, d)
		}
	}
}

func TestSetSaysWhatIsWrong(t *testing.T) {
	set := func(widths ...int) Recipe { return Recipe{[]Variant{{Name: "s", Widths: widths}, {Name: "s_320"}}} }
	rising := make([]int, 32)
	for i := range rising {
		rising[i] = i + 1
	}
	for _, c := range []struct {
		r    Recipe
		path string
		says string
	}{
		{set(320, 640), "variants[1].name", `"s_320" is the name of variants[0] already`},
		{set(5, 5), "variants[0].widths", "5 stands after 5"},
		{set(0), "variants[0].widths", "0 is not within 1..16384"},
		{set(rising...), "variants", "there are 33 variants"},
		{Recipe{[]Variant{{Name: strings.Repeat("n", 62), Widths: []int{5, 10}}}}, "variants[0].name", "is not 1..64"},
		{Recipe{[]Variant{{Name: "s", Widths: []int{9000, 16000}, Steps: []Step{Resize{Mode: Fill, Width: 9000, Height: 9000}}}}}, "variants[0].operations[0].resize.width", "more than 100000000"},
		{Recipe{[]Variant{{Name: "s", Widths: []int{90}, Steps: []Step{Resize{Height: 9}}}}}, "variants[0].widths", "needs a width"},
	} {
		fields := c.r.Check()
		if len(fields) != 1 || fields[0].Path != c.path || !strings.Contains(fields[0].Message, c.says) {
			t.Errorf("%+v: %v, want %s: %s", c.r, fields, c.path, c.says)
		}
	}
	for text, says := range map[string]string{
		"w_320:640/w_320:640":           "first step that resizes",
		"w_320/w_320:640":               "first step that resizes",
		"c_crop,w_320:640,h_5":          "for resizing",
		"e_pixelate_region:9,w_5:6,h_5": "for resizing",
		"w_320:":                        "no whole number",
		"w_:320":                        "no whole number",
		"w_320:0":                       "0 is not within",
		"w_0:320":                       "0 is not within",
		"h_320:640":                     "no whole number",
		"w_1" + strings.Repeat(":1", 40) + ",h_1": "at most 32",
	} {
		_, err := Parse(text)
		if e := fault.As(err); e == nil || len(e.Fields) != 1 || !strings.Contains(e.Fields[0].Message, says) {
			t.Errorf("Parse(%q): %v; want one fault with %q", text, err, says)
		}
	}
	v := mustParse(t, "w_320:640")
	if _, _, err := v.Negotiate("webp", "", Source{}); fault.ReasonOf(err) != "BAD_RECIPE" || !strings.Contains(fmt.Sprint(fault.As(err).Fields), "w_320") {
		t.Errorf("on the fly: %v", err)
	}
	if _, err := v.Resolve(Source{}); fault.ReasonOf(err) != "BAD_RECIPE" {
		t.Errorf("one of many: %v", err)
	}
}

package recipe_test

import (
	"encoding/json"
	"testing"

	"calotype/services/image/internal/recipe"
)

// What is remembered is what json.Marshal writes, also of a recipe that begins as another one does.
func TestWriter(t *testing.T) {
	variants, err := recipe.ParseNamed([]string{"a:w_64/f_jpeg", "b:w_32,c_fill,h_32/f_webp"})
	if err != nil {
		t.Fatal(err)
	}
	w := recipe.NewWriter()
	for range 2 {
		for _, r := range []recipe.Recipe{{Variants: variants}, {Variants: variants[:1]}, {Variants: variants[1:]}, {}} {
			want, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := w.Write(r); got != string(want) || err != nil {
				t.Errorf("%s, %v, want %s", got, err, want)
			}
		}
	}
}

// Sources between which Resolve makes no difference are told to be the same, and no others.
func TestLooked(t *testing.T) {
	src := recipe.Source{Format: "png", HasAlpha: true, Pages: 2, Width: 400, Height: 300, Bytes: 9}
	for _, c := range []struct {
		variant string
		want    recipe.Source
	}{
		{"a:w_64", recipe.Source{Format: "png", HasAlpha: true, Pages: 2}},
		{"a:w_64:600:800", recipe.Source{Format: "png", HasAlpha: true, Pages: 2, Width: 400, Height: 300}},
	} {
		variants, err := recipe.ParseNamed([]string{c.variant})
		if err != nil {
			t.Fatal(err)
		}
		r := recipe.Recipe{Variants: variants}
		if got := r.Looked(src); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.variant, got, c.want)
		}
		first, err1 := r.Resolve(src)
		second, err2 := r.Resolve(r.Looked(src))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(second)
		if string(a) != string(b) {
			t.Errorf("%s: %s of the whole source, %s of what is looked at", c.variant, a, b)
		}
	}
}

package recipe_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/image/internal/recipe"
)

func TestDefaultPresetsFitAnyOriginal(t *testing.T) {
	catalog, err := recipe.DefaultPresets().Compile()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range catalog {
		names = append(names, p.Name)
		if p.Description == "" {
			t.Errorf("%s says nothing about itself", p.Name)
		}
		for _, src := range []recipe.Source{{Format: "jpeg"}, {Format: "png", HasAlpha: true}, {Format: "gif", Pages: 9}, {Format: "webp"}} {
			if _, err := p.Recipe.Resolve(src); err != nil {
				t.Errorf("%s of %v: %v", p.Name, src, err)
			}
		}
	}
	if d := cmp.Diff([]string{"card", "hero", "thumb", "web"}, names); d != "" {
		t.Error(d)
	}
}

func TestPresetsComeFromTheConfiguration(t *testing.T) {
	conf := struct {
		Presets recipe.Presets `koanf:"presets"`
	}{recipe.DefaultPresets()}
	env := []string{
		`X_PRESETS={web: {variants: ["b:w_5,h_6,c_fill", "a:w_7"]}, hero: {variants: []}, mine: {description: "Ours.", variants: ["only:q_5"]}}`,
	}
	if err := config.Load(&conf, config.Sources{EnvPrefix: "X_", Env: env}); err != nil {
		t.Fatal(err)
	}
	catalog, err := conf.Presets.Compile()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range catalog {
		for _, v := range p.Recipe.Variants {
			got = append(got, p.Name+" "+v.Name)
		}
	}
	want := []string{"card card", "card card_2x", "card social", "mine only", "thumb thumb", "thumb thumb_small", "web b", "web a"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if len(recipe.DefaultPresets()["hero"].Variants) == 0 {
		t.Error("configuring changed the defaults")
	}
}

func TestWrongPresetsAreToldTogether(t *testing.T) {
	_, err := recipe.Presets{
		"Big":  {Variants: []string{"a:w_5"}},
		"web":  {Variants: []string{"a:w_0", "b:c_fil,w_5"}},
		"card": {Variants: []string{"a:w_5", "a:w_6", "b:f_auto"}},
	}.Compile()
	e := fault.As(err)
	if e == nil || e.Reason != "BAD_PRESETS" {
		t.Fatalf("got %v", err)
	}
	var paths []string
	for _, f := range e.Fields {
		paths = append(paths, f.Path)
	}
	want := []string{"Big", "card.variants[1].name", "card.variants[2].output.format", "web.variants[0].options[0].w", "web.variants[1].options[0].c"}
	if d := cmp.Diff(want, paths); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestUnknownPreset(t *testing.T) {
	catalog, err := recipe.DefaultPresets().Compile()
	if err != nil {
		t.Fatal(err)
	}
	if p, err := catalog.Get("web"); err != nil || p.Name != "web" {
		t.Errorf("web: %v, %v", p.Name, err)
	}
	if _, err := catalog.Get("thumbs"); fault.ReasonOf(err) != "UNKNOWN_PRESET" || !strings.Contains(err.Error(), `did you mean "thumb"?`) {
		t.Errorf("got %v", err)
	}
	if _, err := (recipe.Catalog{}).Get("web"); fault.ReasonOf(err) != "UNKNOWN_PRESET" {
		t.Errorf("got %v", err)
	}
}

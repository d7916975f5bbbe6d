package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"calotype/kit/config"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/test/likeness"
)

// photographs are the one that is in the checkout, whole and cut so that no decoder's reduction comes out even, and those of a corpus.
func photographs(t *testing.T, e *Engine) map[string][]byte {
	t.Helper()
	odd := variant(recipe.JPEG, recipe.Crop{Width: 1191, Height: 893})
	odd.Output.Quality = 95
	list := map[string][]byte{"photo": load(t, "photo.jpg"), "odd": e.make(t, load(t, "photo.jpg"), odd).Data}
	if dir := os.Getenv("TEST_CORPUS"); dir != "" {
		files, err := filepath.Glob(filepath.Join(dir, "photo", "*.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if list[strings.TrimSuffix(filepath.Base(f), ".jpg")], err = os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	return list
}

// The bounds of photographs in the checkout are what they reach, but for 0.1 dB; those of a corpus are the goal.
func TestScalings(t *testing.T) {
	e := engine(t)
	sum, n := map[recipe.Scaling]float64{}, 0
	for name, data := range photographs(t, e) {
		whole := likeness.LightOf(e.look(t, e.make(t, data, variant(recipe.PNG))))
		for _, c := range []struct {
			photo   string
			scaling recipe.Scaling
			format  recipe.Format
			least   float64
		}{
			{"photo", recipe.Fast, recipe.JPEG, 34.2}, {"photo", recipe.Best, recipe.JPEG, 35.8}, {"photo", recipe.Best, recipe.PNG, 59.2},
			{"odd", recipe.Fast, recipe.PNG, 39.1}, {"odd", recipe.Best, recipe.PNG, 59.2}, {"", recipe.Fast, recipe.JPEG, 0}, {"", recipe.Best, recipe.JPEG, 0},
		} {
			corpus := name != "photo" && name != "odd"
			if c.photo != name && (c.photo != "" || !corpus) {
				continue
			}
			v := variant(c.format, recipe.Resize{Width: 512})
			v.Output.Scaling = c.scaling
			r := e.make(t, data, v)
			got := likeness.PSNR(whole.Reduced(r.Width, r.Height), likeness.LightOf(e.look(t, r)))
			if got < c.least {
				t.Errorf("%s as %s, scaling %q: %.2f dB, want %.2f", name, c.format, c.scaling, got, c.least)
			}
			if corpus {
				t.Logf("%s, scaling %q: %.2f dB", name, c.scaling, got)
				sum[c.scaling] += got
				n++
			}
		}
	}
	for scaling, least := range map[recipe.Scaling]float64{recipe.Fast: 37.1, recipe.Best: 37.7} {
		if mean := 2 * sum[scaling] / float64(n); n > 0 && mean < least {
			t.Errorf("the corpus with scaling %q: %.2f dB, want %.2f", scaling, mean, least)
		} else if n > 0 {
			t.Logf("the corpus with scaling %q: %.2f dB", scaling, mean)
		}
	}
}

// What is made from a larger variant is nearer to the original than what is made by itself, or so near that nobody can tell.
func TestCascade(t *testing.T) {
	e := engine(t)
	for name, data := range photographs(t, e) {
		whole := likeness.LightOf(e.look(t, e.make(t, data, variant(recipe.PNG))))
		var set []recipe.Variant
		for _, w := range []int{100, 800, 200, 600, 400, 48} { // 100 of 200, 200 and 48 of larger ones, 600 of 800 only
			set = append(set, variant(recipe.PNG, recipe.Resize{Width: w}))
		}
		many, err := e.Render(t.Context(), job.Input{Data: data}, set, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range many {
			want := whole.Reduced(r.Width, r.Height)
			together, alone := likeness.PSNR(want, likeness.LightOf(e.look(t, r))), likeness.PSNR(want, likeness.LightOf(e.look(t, e.make(t, data, set[i]))))
			enough := 49.0 // where JPEG at quality 80 comes to 37
			if name != "photo" && name != "odd" {
				enough = 44
			}
			if together < min(alone-0.1, enough) {
				t.Errorf("%s, %d wide: %.2f dB in a set, %.2f alone", name, r.Width, together, alone)
			}
		}
	}
}

func TestScalesOfASet(t *testing.T) {
	e := engine(t)
	of := func(limit int64, widths ...int) []float64 {
		j := &call{engine: e}
		var group []plan
		for _, w := range widths {
			f, err := foresee([]recipe.Step{recipe.Resize{Width: w}}, size{4000, 3000})
			if err != nil {
				t.Fatal(err)
			}
			group = append(group, plan{forecast: f, view: view{from: size{4000, 3000}}, frames: 1})
		}
		j.engine = &Engine{limits: Limits{Memory: config.Size(limit)}}
		return j.scales(group)
	}
	for _, c := range []struct {
		name   string
		limit  int64
		widths []int
		want   []float64
	}{
		{"one", 1 << 30, []int{800}, []float64{0.2}},
		{"too near each other", 1 << 30, []int{800, 600, 500}, []float64{0.2}},
		{"halves", 1 << 30, []int{200, 800, 400, 100}, []float64{0.2, 0.1, 0.05}},
		{"two alike", 1 << 30, []int{800, 600, 600}, []float64{0.2, 0.15}},
		{"no memory for more", 800*600*3 + 1000, []int{800, 400, 200}, []float64{0.2}},
	} {
		if got := of(c.limit, c.widths...); !slices.Equal(got, c.want) {
			t.Errorf("%s: kept at %v, want %v", c.name, got, c.want)
		}
	}
}

package pipeline

import (
	"bytes"
	"context"
	flags "flag"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/test/likeness"
)

var update = flags.Bool("update", false, "write the golden pictures anew")

const goldens = "testdata/golden"

// file is where a case's picture is kept.
func (c goldenCase) file() string {
	name := strings.NewReplacer("/", "--", ":", "=", ",", "+").Replace(c.of + "--" + c.options)
	return filepath.Join(goldens, name+".png")
}

// variant is the case's recipe; what is not told is a PNG.
func (c goldenCase) variant(t testing.TB) recipe.Variant {
	t.Helper()
	v, err := recipe.Parse(c.options)
	if err != nil {
		t.Fatal(err)
	}
	if v.Name = "v"; v.Output.Format == recipe.Original {
		v.Output.Format = recipe.PNG
	}
	return v
}

// render makes a case's picture, resolved as nodes get it.
func (c goldenCase) render(ctx context.Context, t testing.TB, e *Engine, v recipe.Variant) ([]byte, error) {
	t.Helper()
	data := c.original(t)
	pic, err := e.Inspect(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	v, err = v.Resolve(recipe.Source{Format: pic.Format, HasAlpha: pic.HasAlpha, Pages: pic.Pages, Width: pic.Width, Height: pic.Height})
	if err != nil {
		return nil, err
	}
	done, err := e.Render(ctx, job.Input{Data: data}, []recipe.Variant{v}, nil)
	if err != nil {
		return nil, err
	}
	return done[0].Data, nil
}

// seen decodes what was rendered.
func seen(t testing.TB, e *Engine, data []byte) image.Image {
	t.Helper()
	if !bytes.HasPrefix(data, []byte("\x89PNG")) {
		data = e.make(t, data, as(recipe.Output{Format: recipe.PNG, Page: 1})).Data
	}
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// kept is the golden picture of a case, which -update writes.
func (c goldenCase) kept(t testing.TB, now image.Image) image.Image {
	t.Helper()
	if *update {
		var b bytes.Buffer
		if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, now); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(goldens, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.file(), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(c.file())
	if err != nil {
		t.Fatalf("%v; go test ./services/image/internal/pipeline -run Golden -update makes it: look at it", err)
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every case gives the picture that is kept of it, on whatever libvips: a change beyond the bounds is a change of the engine.
func TestGolden(t *testing.T) {
	e := engine(t)
	known := map[string]bool{}
	for _, c := range goldenCases {
		if known[c.file()] {
			t.Errorf("%s is there twice", c.file())
		}
		known[c.file()] = true
		t.Run(c.of+" "+strings.ReplaceAll(c.options, "/", " "), func(t *testing.T) {
			data, err := c.render(t.Context(), t, e, c.variant(t))
			if err != nil {
				t.Fatal(err)
			}
			now := seen(t, e, data)
			if s := now.Bounds().Size(); s.X > 128 || s.Y > 128 {
				t.Errorf("%v is large for a golden picture", s)
			}
			d := likeness.GapOf(c.kept(t, now), now)
			t.Logf("%v", d)
			if d.Beyond(c.bound()) {
				t.Errorf("%v from %s, where %v are allowed", d, c.file(), c.bound())
			}
		})
	}
	files, err := filepath.Glob(filepath.Join(goldens, "*"))
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if total += info.Size(); !known[f] {
			t.Errorf("%s belongs to no case", f)
		}
	}
	if total > 2e6 {
		t.Errorf("the golden pictures are %d bytes", total)
	}
}

// The same original, recipe and engine give the same bytes, in every format and on another engine of the process too.
func TestEveryGoldenIsRepeatable(t *testing.T) {
	one, other := engine(t), engine(t)
	for _, c := range goldenCases {
		first, err := c.render(t.Context(), t, one, c.variant(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []*Engine{one, other} {
			if again, err := c.render(t.Context(), t, e, c.variant(t)); err != nil || !bytes.Equal(first, again) {
				t.Errorf("%s of %s has other bytes the second time, %v", c.options, c.of, err)
			}
		}
	}
}

// The bounds are tight: with any one number of a case's recipe off by a tenth, or a colour by a tenth of 255, the picture is refused.
func TestGoldensNoticeATenth(t *testing.T) {
	if *update {
		t.Log("the pictures have just been written")
	}
	e := engine(t)
	for _, c := range goldenCases {
		base, err := c.render(t.Context(), t, e, c.variant(t))
		if err != nil {
			t.Fatal(err)
		}
		golden := c.kept(t, seen(t, e, base))
		for _, m := range mutants(t, c) {
			if c.blind[m.path] != "" {
				continue
			}
			data, err := c.render(t.Context(), t, e, m.variant)
			if err != nil {
				continue // it is refused: noticed
			}
			if d := likeness.GapOf(golden, seen(t, e, data)); !d.Beyond(c.bound()) {
				t.Errorf("%s of %s: with %s it is only %v away, where %v are allowed", c.options, c.of, m.says, d, c.bound())
			}
		}
	}
}

// Each word of the grammar has a case.
func TestEveryWordHasAGolden(t *testing.T) {
	used := map[string]bool{}
	for _, c := range goldenCases {
		for part := range strings.SplitSeq(c.options, "/") {
			for option := range strings.SplitSeq(part, ",") {
				key, value, _ := strings.Cut(option, "_")
				used[key] = true
				for word := range strings.SplitSeq(value, ".") {
					word, _, _ = strings.Cut(word, ":")
					used[key+"_"+word] = true
				}
			}
		}
	}
	for _, key := range recipe.Options() {
		if !used[key] && elsewhere[key] == "" {
			t.Errorf("the option %s_ has no golden picture", key)
		}
	}
	for _, option := range recipe.Vocabulary() {
		for _, word := range option.Words {
			if name := option.Option + "_" + word; !used[name] && elsewhere[name] == "" && elsewhere[option.Option] == "" {
				t.Errorf("%s has no golden picture", name)
			}
		}
	}
	for name := range elsewhere {
		if used[name] {
			t.Errorf("%s has a golden picture after all", name)
		}
	}
}

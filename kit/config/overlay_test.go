package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/config"
	"calotype/kit/fault"
)

type running struct {
	Base base `koanf:",squash"`
	Size struct {
		Max  config.Size `koanf:"max"`
		Side int         `koanf:"side"`
	} `koanf:"size" live:"true"`
	Presets map[string]preset `koanf:"presets" live:"true"`
	Root    string            `koanf:"root"`
	Token   config.Secret     `koanf:"token"`
}

func atStart() running {
	var r running
	r.Base.Log.Level, r.Root = "info", "/data"
	r.Size.Max, r.Size.Side = config.MiB, 7
	r.Presets = map[string]preset{"web": {Width: 1000, Format: []string{"webp"}}}
	return r
}

func TestOverlay(t *testing.T) {
	start := atStart()
	got, err := config.Overlay(start, config.Document{Name: "live", Text: []byte("size: {max: 2MiB}\npresets: {web: {width: 5}, card: {width: 6}}\nother: {x: 1}"), Partial: true})
	if err != nil {
		t.Fatal(err)
	}
	want := atStart()
	want.Size.Max = 2 * config.MiB
	want.Presets = map[string]preset{"web": {Width: 5, Format: []string{"webp"}}, "card": {Width: 6}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(atStart(), start); d != "" {
		t.Errorf("the start has changed: %s", d)
	}
	for _, text := range []string{"", "{}", "# nothing\n", `{"size": {"side": 7}}`} {
		if got, err = config.Overlay(start, config.Document{Name: "live", Text: []byte(text)}); err != nil || cmp.Diff(start, got) != "" {
			t.Errorf("%q gives %+v, %v", text, got, err)
		}
	}
}

func TestOverlayTakesNothingThatIsNotLive(t *testing.T) {
	start := atStart()
	doc := config.Document{Name: "live", Text: []byte("root: /x\ntoken: a\ntoken_file: /y\nlog: {level: debug}\nsize: {mx: 1MiB, max: much}\nsizes: {max: 1MiB}\n")}
	got, err := config.Overlay(start, doc)
	if cmp.Diff(start, got) != "" {
		t.Errorf("a wrong document gives %+v", got)
	}
	faults := func(err error) (out []string) {
		if f := fault.As(err); f != nil {
			for _, x := range f.Fields {
				out = append(out, x.Path+": "+x.Message)
			}
		}
		return out
	}
	want := []string{
		"live:1: root: cannot change while a process runs: it is given at the start",
		"live:2: token: cannot change while a process runs: it is given at the start",
		"live:3: token_file: cannot change while a process runs: it is given at the start",
		"live:4: log.level: cannot change while a process runs: it is given at the start",
		"live:5: no such key as size.mx; did you mean size.max?",
		"live:6: no such key as sizes; did you mean size?",
		`live:5: size.max: "much" is not a size such as 512KiB, 64MiB or 10GB`,
	}
	if d := cmp.Diff(want, faults(err)); d != "" {
		t.Error(d)
	}
	// A process that knows only some sections passes over the others, and over none of its own.
	doc.Partial = true
	want = append(want[:5], want[6])
	_, err = config.Overlay(start, doc)
	if d := cmp.Diff(want, faults(err)); d != "" {
		t.Error(d)
	}
	// As in a file, parts check themselves, and a fault is told where it stands.
	type logged struct {
		Log logCfg `koanf:"log" live:"true"`
	}
	_, err = config.Overlay(logged{logCfg{"info"}}, config.Document{Name: "live", Text: []byte("\nlog: {level: loud}")})
	if d := cmp.Diff([]string{`live:2: log.level: "loud" is no level`}, faults(err)); d != "" {
		t.Error(d)
	}
}

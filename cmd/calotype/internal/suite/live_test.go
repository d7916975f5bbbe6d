package suite_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"calotype/cmd/calotype/internal/suite"
	"calotype/kit/boot"
	"calotype/kit/config"
	"calotype/kit/fault"
)

// The page tells exactly the keys that are live, and its example is a good document.
func TestLivePage(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/live.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- live -->")
	table, _, _ = strings.Cut(table, "<!-- /live -->")
	var told, are []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` ").FindAllStringSubmatch(table, -1) {
		told = append(told, m[1])
	}
	cfg := suite.DefaultConfig("data")
	for _, k := range config.Keys(&cfg, boot.EnvPrefix) {
		if k.Live {
			are = append(are, k.Name)
		}
		if k.Live && k.Secret {
			t.Errorf("%s is a secret, and live", k.Name)
		}
	}
	slices.Sort(told)
	slices.Sort(are)
	if !slices.Equal(told, are) {
		t.Errorf("docs/live.md has\n%v\nwhere these are live:\n%v", told, are)
	}
	example := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("docs/live.md has no example")
	}
	if err := suite.CheckLive("docs/live.md", example[1]); err != nil {
		t.Error(err)
	}
	first, err := os.ReadFile("../../../../deploy/consul/live.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := suite.CheckLive("live.yaml", first); err != nil {
		t.Error(err)
	}
}

// Whatever process a mistake is for, and whatever section no process has, it is found before anything is written.
func TestCheckLiveKnowsEverySetting(t *testing.T) {
	err := suite.CheckLive("d", []byte("limts: {upload: 1MiB}\nstorage: {root: x}\nworker: {limits: {pixels: 0}}\nimage: {presets: {x: {variants: [\"a:w_0\"]}}}\nlog: {level: loud}\n"))
	f := fault.As(err)
	if f == nil || len(f.Fields) != 5 {
		t.Fatalf("got %v", err)
	}
	for i, line := range []string{"d:1", "d:2", "d:5", "d:4", "d:3"} {
		if !strings.HasPrefix(f.Fields[i].Path, line+":") && f.Fields[i].Path != line {
			t.Errorf("fault %d is at %s, not %s", i, f.Fields[i].Path, line)
		}
	}
}

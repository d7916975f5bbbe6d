package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"calotype/kit/config"
	"calotype/kit/fault"
)

type base struct {
	Log logCfg `koanf:"log"`
}

type logCfg struct {
	Level string `koanf:"level" doc:"the least level"`
}

func (l logCfg) Validate() []fault.Field {
	if l.Level == "debug" || l.Level == "info" {
		return nil
	}
	return []fault.Field{{Path: "level", Message: fmt.Sprintf("%q is no level", l.Level)}}
}

type preset struct {
	Width  int      `koanf:"width"`
	Format []string `koanf:"format"`
}

type settings struct {
	Base    base `koanf:",squash"`
	Storage struct {
		Root     string        `koanf:"root" doc:"where blobs are"`
		Token    config.Secret `koanf:"token"`
		Max      config.Size   `koanf:"max" doc:"the largest blob"`
		CAFile   string        `koanf:"ca_file"`
		Password string        `koanf:"password" secret:"true"`
	} `koanf:"storage"`
	Wait    time.Duration     `koanf:"wait" doc:"how long"`
	Hosts   []string          `koanf:"hosts"`
	Ports   []int             `koanf:"ports"`
	Share   float64           `koanf:"share"`
	On      bool              `koanf:"on"`
	Slots   uint8             `koanf:"slots"`
	Presets map[string]preset `koanf:"presets"`
	Labels  map[string]string `koanf:"labels"`
	Opt     *int              `koanf:"opt"`
	Free    any               `koanf:"free"`
}

func defaults() settings {
	var s settings
	s.Base.Log.Level = "info"
	s.Storage.Root, s.Storage.Max = "/data", 64*config.MiB
	s.Wait, s.Hosts, s.Share = 90*time.Second, []string{"a", "b"}, 0.5
	s.Presets = map[string]preset{"web": {Width: 1000, Format: []string{"webp"}}}
	return s
}

func file(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "calotype.yaml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLayers(t *testing.T) {
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	s := defaults()
	config.AddFlags(fs, &s)
	fs.StringSlice("host", nil, "")
	if err := config.Bind(fs, "host", "hosts"); err != nil {
		t.Fatal(err)
	}
	if err := fs.Parse([]string{"--wait=3s", "--on", "--host=x", "--host=y"}); err != nil {
		t.Fatal(err)
	}
	err := config.Load(&s, config.Sources{
		File: file(t, `
log: {level: debug}
storage:
  root: /file
  max: 1GiB
  token: file
wait: 1s
share: 1
slots: 7
ports: [1, 2]
opt: 5
presets:
  web: {width: 10}
  card:
    format: [jpeg, avif]
labels: {a: b}
free: {deep: [1, x]}
hosts:
`),
		EnvPrefix: "CALOTYPE_",
		Env: []string{
			"CALOTYPE_STORAGE__ROOT=/env", "CALOTYPE_WAIT=2s", "CALOTYPE_PORTS=3, 4,5", "CALOTYPE_STORAGE__TOKEN=s3cret", "CALOTYPE_CONFIG=x",
			"CALOTYPE_GATEWAY_SERVICE_HOST=10.0.0.1", "CALOTYPE_GATEWAY_PORT_8080_TCP_ADDR=10.0.0.1", "CALOTYPE_GATEWAY_PORT=tcp://10.0.0.1:80",
			"PATH=/bin", "CALOTYPE_LABELS={c: d}",
		},
		EnvIgnore: []string{"CALOTYPE_CONFIG"},
		Flags:     fs,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Base.Log.Level = "debug"
	want.Storage.Root, want.Storage.Max, want.Storage.Token = "/env", config.GiB, "s3cret"
	want.Wait, want.Share, want.Slots, want.On = 3*time.Second, 1, 7, true
	want.Ports, want.Hosts = []int{3, 4, 5}, []string{"x", "y"}
	want.Presets = map[string]preset{"web": {Width: 10, Format: []string{"webp"}}, "card": {Format: []string{"jpeg", "avif"}}}
	want.Labels = map[string]string{"c": "d"}
	want.Free = map[string]any{"deep": []any{1, "x"}}
	five := 5
	want.Opt = &five
	if d := cmp.Diff(want, s, cmp.AllowUnexported(settings{})); d != "" {
		t.Error(d)
	}
}

func TestEveryFaultIsToldWithItsPlace(t *testing.T) {
	path := file(t, `log:
  levle: debug
storage:
  max: much
  root: {a: b}
wait: 10
wait: 2s
on: perhaps
slots: 300
ports: [1, two]
presets:
  web: {widht: 1}
labels: 7
share: half
root: /x
`)
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	fs.String("storage.token", "", "")
	fs.String("log.level", "", "")
	if err := fs.Parse([]string{"--storage.token=abc", "--log.level=loud"}); err != nil {
		t.Fatal(err)
	}
	s := defaults()
	err := config.Load(&s, config.Sources{
		File: path, EnvPrefix: "CALOTYPE_", Flags: fs,
		Env: []string{"CALOTYPE_STORAGE__ROT=/x", "CALOTYPE_WAIT=soon", "CALOTYPE_STORAGE__PASSWORD_FILE=/does/not/exist"},
	})
	f := fault.As(err)
	if f == nil || f.Kind != fault.Invalid || f.Reason != "BAD_CONFIG" {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, x := range f.Fields {
		got = append(got, strings.ReplaceAll(x.Path, path, "FILE")+": "+x.Message)
	}
	want := []string{
		`FILE:2: no such key as log.levle; did you mean log.level?`,
		`FILE:7: wait: is given twice, first in line 6`,
		`FILE:15: no such key as root; did you mean storage.root?`,
		`CALOTYPE_STORAGE__PASSWORD_FILE: the secret for storage.password cannot be read: open /does/not/exist: no such file or directory`,
		`CALOTYPE_STORAGE__ROT: no such variable as CALOTYPE_STORAGE__ROT; did you mean CALOTYPE_STORAGE__ROOT?`,
		`--storage.token: is a secret and cannot be a flag, which every user of the machine can read`,
		`FILE:5: storage.root: is a single value`,
		`FILE:4: storage.max: "much" is not a size such as 512KiB, 64MiB or 10GB`,
		`CALOTYPE_WAIT: wait: "soon" is not a duration such as 500ms, 10s or 1h30m`,
		`FILE:10: ports[1]: "two" is not a whole number that fits 64 bits`,
		`FILE:14: share: "half" is not a number`,
		`FILE:8: on: "perhaps" is neither true nor false`,
		`FILE:9: slots: "300" is not a whole number from 0 that fits 8 bits`,
		`FILE:12: no such key as widht; did you mean width?`,
		`FILE:13: labels: has keys and values of its own`,
		`--log.level: log.level: "loud" is no level`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if strings.Contains(err.Error(), "abc") {
		t.Error("the error shows a secret")
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "token")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]config.Sources{
		"variable": {EnvPrefix: "CALOTYPE_", Env: []string{"CALOTYPE_STORAGE__TOKEN_FILE=" + secret, "CALOTYPE_STORAGE__PASSWORD_FILE=" + secret}},
		"key":      {File: file(t, "storage: {token_file: "+secret+", password_file: "+secret+", ca_file: ca.pem}")},
	} {
		s := defaults()
		if err := config.Load(&s, src); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.Storage.Token.Reveal() != "s3cret" || s.Storage.Password != "s3cret" {
			t.Errorf("%s: token %q, password %q", name, s.Storage.Token.Reveal(), s.Storage.Password)
		}
		for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v", s.Storage.Token, s.Storage.Token)} {
			if strings.Contains(strings.ReplaceAll(shown, s.Storage.Password, ""), "s3cret") {
				t.Errorf("%s: the secret shows: %s", name, shown)
			}
		}
	}
	s := defaults()
	err := config.Load(&s, config.Sources{EnvPrefix: "CALOTYPE_", Env: []string{"CALOTYPE_STORAGE__TOKEN_FILE=" + secret, "CALOTYPE_STORAGE__TOKEN=x"}})
	if err == nil || !strings.Contains(err.Error(), "both itself and as a file") {
		t.Errorf("a secret given twice gave %v", err)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"missing":  {filepath.Join(t.TempDir(), "none.yaml"), "cannot be read"},
		"no YAML":  {file(t, "a: [b"), "is not YAML"},
		"a list":   {file(t, "- a"), "must hold keys and values"},
		"two docs": {file(t, "wait: 1s\n---\nwait: 2s"), "more than one document"},
	} {
		s := defaults()
		if err := config.Load(&s, config.Sources{File: c.path}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "# nothing\n", "log:\nstorage:\n"} {
		s := defaults()
		if err := config.Load(&s, config.Sources{File: file(t, text)}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKeys(t *testing.T) {
	s := defaults()
	s.Storage.Token = "s3cret"
	var b strings.Builder
	keys := config.Keys(&s, "CALOTYPE_")
	if err := config.Table(&b, keys); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| `log.level` | `CALOTYPE_LOG__LEVEL` | `info` | the least level |",
		"| `storage.token` | `CALOTYPE_STORAGE__TOKEN`, `CALOTYPE_STORAGE__TOKEN_FILE` |  |  |",
		"| `storage.max` | `CALOTYPE_STORAGE__MAX` | `64MiB` | the largest blob |",
		"| `wait` | `CALOTYPE_WAIT` | `1m30s` | how long |",
		"| `hosts` | `CALOTYPE_HOSTS` | `a,b` |  |",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("the table lacks %s:\n%s", line, b.String())
		}
	}
	if strings.Contains(b.String(), "s3cret") {
		t.Error("the table shows a secret")
	}
	if keys[0].Type != "string" || len(keys) != 16 {
		t.Errorf("%d keys, the first %+v", len(keys), keys[0])
	}
}

package webhook_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/services/image/internal/webhook"
)

func TestSettings(t *testing.T) {
	of := func(n int) string {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n)))
	}
	for _, c := range []struct {
		cfg  webhook.Config
		want []string
	}{
		{webhook.Config{}, nil},
		{webhook.Config{Secrets: config.Secret(of(24) + "," + of(64)), Allow: []string{"127.0.0.0/8", "fd00::/8"}, HTTPSOnly: true}, nil},
		{webhook.Config{Secrets: config.Secret(of(23) + "," + of(65))}, []string{"secret 1 has 23 bytes", "secret 2 has 65 bytes"}},
		{webhook.Config{Secrets: "visible," + config.Secret(of(32)[6:]) + ",whsec_visible!"}, []string{"secret 1 is not", "secret 2 is not", "secret 3 is not"}},
		{webhook.Config{Allow: []string{"10.0.0.1", "::ffff:10.0.0.0/104", "ten"}}, []string{"allow[0]", "allow[1]", "allow[2]"}},
	} {
		var texts []string
		for _, f := range c.cfg.Validate() {
			texts = append(texts, f.Path+": "+f.Message)
		}
		all := strings.Join(texts, "\n")
		if len(texts) != len(c.want) || strings.Contains(all, "visible") {
			t.Errorf("%+v: %q", c.cfg, texts)
		}
		for _, want := range c.want {
			if !strings.Contains(all, want) {
				t.Errorf("%q lacks %q", all, want)
			}
		}
		s, err := webhook.New(c.cfg, "1", nil)
		if (err != nil) != (len(c.want) > 0) || err == nil && s.On() != (c.cfg.Secrets != "") {
			t.Errorf("%+v: %v, %v", c.cfg, s, err)
		}
	}
}

func TestOffWithoutSecret(t *testing.T) {
	if off := newSender(t, secrets("")); off.On() || !strings.Contains(off.CheckURL("https://example.com"), "off") {
		t.Errorf("off: %q", off.CheckURL("https://example.com"))
	}
	on := newSender(t, func(c *webhook.Config) { c.HTTPSOnly = true })
	for url, want := range map[string]string{"https://example.com": "", "https://127.0.0.1": "", "http://127.0.0.1": "https", "https://10.0.0.1": "private", "x": "https"} {
		if got := on.CheckURL(url); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", url, got)
		}
	}
}

func TestKeptSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder", "webhook.secret")
	url, came := receiver(t, nil)
	var all sync.WaitGroup
	for range 8 { // processes that begin at once
		all.Go(func() {
			s, err := webhook.New(webhook.Config{KeepSecret: path, Allow: []string{"127.0.0.0/8"}}, "1", nil)
			if err != nil || !s.On() {
				t.Errorf("%v, %v", s, err)
				return
			}
			if _, err := send(t, s, notice(url)); err != nil {
				t.Error(err)
			}
			s.Close()
		})
	}
	all.Wait()
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if !verifies(t, strings.TrimSpace(string(kept)), <-came) {
			t.Error("one signed with another secret than the file's")
		}
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	given, err := webhook.New(webhook.Config{KeepSecret: filepath.Join(t.TempDir(), "unused"), Secrets: first}, "1", nil)
	if err != nil || !given.On() {
		t.Errorf("%v, %v", given, err)
	}
	if err := os.WriteFile(path, []byte("not a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := webhook.New(webhook.Config{KeepSecret: path}, "1", nil); err == nil || strings.Contains(err.Error(), "not a secret") || fault.As(err) != nil {
		t.Errorf("a file without a secret: %v", err)
	}
}

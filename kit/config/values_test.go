package config_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"calotype/kit/config"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]config.Size{
		"0": 0, "17": 17, "17B": 17, "512KiB": 512 << 10, "64 MiB": 64 << 20, "64mib": 64 << 20, "10GB": 10_000_000_000, "1.5GiB": 3 << 29, "2TiB": 2 << 40, "1TB": 1e12,
	} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5", "10 potatoes", "9999999TiB", "1e400GiB", "64M", "NaNKiB"} {
		var s config.Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken for %d", text, s)
		}
	}
	for s, want := range map[config.Size]string{0: "0B", 17: "17B", 64 << 20: "64MiB", 10_000_000_000: "10GB", 3 << 29: "1536MiB", 1 << 40: "1TiB"} {
		if s.String() != want {
			t.Errorf("%d is shown as %s, want %s", int64(s), s, want)
		}
		var back config.Size
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%s came back as %d, %v", s, back, err)
		}
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	s := config.Secret("s3cret")
	b, err := json.Marshal(map[string]any{"a": s, "b": struct{ S config.Secret }{s}})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s)
	if shown := string(b) + log.String(); strings.Contains(shown, "s3cret") || strings.Count(shown, "[set]") != 3 {
		t.Error(shown)
	}
	if config.Secret("").String() != "" {
		t.Error("an empty secret is shown as set")
	}
}

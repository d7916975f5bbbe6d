package command

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"calotype/cmd/calotype/internal/suite"
	"calotype/kit/config"
)

func TestMachine(t *testing.T) {
	cfg := suite.DefaultConfig("data")
	dir := t.TempDir()
	cfg.HTTP.Listen, cfg.RPC.Listen = "127.0.0.1:0", "127.0.0.1:0"
	if n := len(machine(cfg, dir, false)) - len(machine(cfg, dir, true)); n != 2 {
		t.Errorf("%d findings are about ports", n)
	}
	cfg.Worker.Formats = []string{"svg"}
	if all := machine(cfg, dir, true); all[len(all)-1].State != "note" || !strings.Contains(all[len(all)-1].Text, "svg") {
		t.Errorf("%+v", all)
	}
	cfg.Worker.Slots = 1024
	cfg.Worker.Limits.Memory = 1 << 40
	if f := memory(cfg); f.State == "ok" {
		t.Errorf("%+v", f)
	}
	cfg.Storage.MinFree = 0
	if f := room(cfg, filepath.Join(dir, "not", "there")); f.State != "ok" {
		t.Errorf("%+v", f)
	}
	cfg.Storage.MinFree = config.Size(1) << 60
	if f := room(cfg, dir); f.State != "bad" || !strings.Contains(f.Text, "nothing can be uploaded") {
		t.Errorf("%+v", f)
	}
	for env, want := range map[string]string{"": "ok", "LD_PRELOAD=/usr/lib/libjemalloc.so.2": "ok", "MALLOC_ARENA_MAX=64": "note"} {
		name, value, _ := strings.Cut(env, "=")
		if f := allocator(func(key string) string { return map[string]string{name: value}[key] }); f.State != want {
			t.Errorf("%s: %+v", env, f)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if f := port("x", l.Addr().String()); f.State != "note" {
		t.Errorf("%+v", f)
	}
	_ = l.Close()
	if f := port("x", l.Addr().String()); f.State != "ok" {
		t.Errorf("%+v", f)
	}
}

// What is missing is told with the package that brings it.
func TestMissingFormats(t *testing.T) {
	if f := formats("writes", []string{"jpeg", "png"}, "jpeg", "png"); f.State != "ok" {
		t.Errorf("%+v", f)
	}
	f := formats("writes", []string{"jpeg"}, "jpeg", "avif")
	if f.State != "bad" || !strings.Contains(f.Text, "libheif-plugin-aomenc") {
		t.Errorf("%+v", f)
	}
}

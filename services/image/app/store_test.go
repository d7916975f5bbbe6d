package app_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"calotype/kit/config"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/app"
	"calotype/test/servers"
)

// What one manager accepted another ends, when both keep it in one database.
func TestOnPostgres(t *testing.T) {
	server := servers.NewPostgres(t, "fsync=off")
	url := server.Database(t)
	shared := func(cfg *app.Config) {
		cfg.Image.Store, cfg.Image.Postgres.URL, cfg.Image.Database = app.Postgres, url, ""
	}
	folder := t.TempDir()
	first := start(t, folder, shared)
	made, err := first.images.Create(t.Context(), &imagev1.CreateImageRequest{Digest: digest, Preset: "thumb"})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := start(t, folder, shared)
	second.work(t)
	events, err := second.jobs.Watch(t.Context(), &imagev1.WatchJobRequest{Id: made.GetJob().GetId(), AfterSequence: 1})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := events.Recv(); err != nil || e.GetState() != imagev1.Job_SUCCEEDED {
		t.Errorf("then came %v, %v", e, err)
	}
}

func TestStoreConfig(t *testing.T) {
	for _, c := range []struct {
		kind, database, url string
		want                []string
	}{
		{"sqlite", "x.db", "", nil},
		{"sqlite", "", "", []string{"database"}},
		{"postgres", "", "postgres://calotype@localhost/calotype", nil},
		{"postgres", "x.db", "", []string{"postgres.url"}},
		{"clay tablets", "x.db", "", []string{"store"}},
	} {
		cfg := app.DefaultConfig()
		cfg.Image.Store, cfg.Image.Database, cfg.Image.Postgres.URL = c.kind, c.database, c.url
		var got []string
		for _, f := range cfg.Image.Validate() {
			got = append(got, f.Path)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s with %q and %q: faults at %v, want %v", c.kind, c.database, c.url, got, c.want)
		}
	}
	faults := app.DefaultConfig().Image.Postgres
	faults.URL, faults.MaxConnections, faults.Timeout, faults.ConnectTimeout = "postgres://u:hush@local host", 1, 0, 0
	if got := faults.Validate(); len(got) != 4 || strings.Contains(got[0].Message, "hush") {
		t.Errorf("faults %v", got)
	}
}

func TestPasswordFromAFile(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("let me in\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := app.DefaultConfig()
	err := config.Load(&cfg, config.Sources{EnvPrefix: "X_", Env: []string{"X_IMAGE__STORE=postgres", "X_IMAGE__POSTGRES__URL=postgres://calotype@db/calotype",
		"X_IMAGE__POSTGRES__PASSWORD_FILE=" + secret, "X_IMAGE__POSTGRES__MAX_CONNECTIONS=7"}})
	if p := cfg.Image.Postgres; err != nil || cfg.Image.Store != app.Postgres || p.Password.Reveal() != "let me in" || p.MaxConnections != 7 {
		t.Errorf("read %+v, %v", p, err)
	}
}

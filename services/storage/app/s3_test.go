package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"calotype/kit/boot"
	"calotype/kit/config"
	"calotype/kit/fault"
	"calotype/kit/health"
	"calotype/proto"
	"calotype/services/storage/app"
	"calotype/services/storage/internal/blob"
	"calotype/services/storage/internal/blobtest"
	"calotype/test/servers"
)

// The service with an object store behind it: ready once that was there, and from then on also while it is away.
func TestServiceOnAnObjectStore(t *testing.T) {
	server := servers.NewS3(t)
	server.Kill()
	r := startWith(t, func(cfg *app.Config) {
		cfg.Storage.Kind = "s3"
		cfg.Storage.S3.Endpoints = []string{server.Endpoint}
		cfg.Storage.S3.AccessKey, cfg.Storage.S3.SecretKey = config.Secret(server.AccessKey), config.Secret(server.SecretKey)
		cfg.Storage.S3.ProbeEvery = 10 * time.Millisecond
	})
	store := micro(r)
	if ready(t, r) {
		t.Error("is ready, and has never reached its object store")
	}
	server.Start()
	eventually(t, "it is ready", func() bool { return ready(t, r) })
	b := blobtest.Content(1, 100_000)
	info, _, err := store.Put(t.Context(), bytes.NewReader(b), blob.Want{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Touch(t.Context(), info.Digest); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	eventually(t, "it tells that the object store is away", func() bool { return !report(t, r).Checks["object store"].OK })
	if !ready(t, r) {
		t.Error("is not ready while the object store is away: all nodes would leave at once")
	}
	_, err = store.Stat(t.Context(), info.Digest)
	if f := fault.As(err); f == nil || f.Kind != fault.Unavailable || f.RetryAfter == 0 {
		t.Errorf("a call while it is away gave %v, want Unavailable with a hint", err)
	}
	server.Start()
	eventually(t, "it serves again", func() bool { _, err := store.Stat(t.Context(), info.Digest); return err == nil })
}

func report(t *testing.T, r running) (out health.Report) {
	t.Helper()
	rsp, err := http.Get("http://" + r.host.OpsAddr() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer rsp.Body.Close()
	if err := json.NewDecoder(rsp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func startWith(t *testing.T, change func(*app.Config)) running {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Log.Level = "error"
	cfg.RPC.Listen, cfg.Ops.Listen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Health.Interval = 10 * time.Millisecond
	change(&cfg)
	host, err := boot.NewHost(proto.Storage, cfg.Config)
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, host)
	if err != nil {
		t.Fatal(errors.Join(err, host.Close()))
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(<-done, host.Close()); err != nil {
			t.Error(err)
		}
	})
	<-a.Ready()
	return running{App: a, host: host}
}

func TestSettingsOfAnObjectStore(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*app.StorageConfig)
		paths  []string
	}{
		"files":           {func(*app.StorageConfig) {}, nil},
		"no such kind":    {func(c *app.StorageConfig) { c.Kind = "tape" }, []string{"kind"}},
		"nothing is said": {func(c *app.StorageConfig) { c.Kind = "s3" }, []string{"s3.endpoints", "s3.access_key"}},
		"parts too small": {func(c *app.StorageConfig) { s3Config(c); c.S3.PartSize = 5 * config.MiB }, []string{"s3.part_size"}},
		"an object store": {s3Config, nil},
	} {
		cfg := app.DefaultConfig().Storage
		c.change(&cfg)
		var paths []string
		for _, f := range cfg.Validate() {
			paths = append(paths, f.Path)
		}
		if len(paths) != len(c.paths) {
			t.Errorf("%s: faults at %v, want %v", name, paths, c.paths)
			continue
		}
		for i := range paths {
			if paths[i] != c.paths[i] {
				t.Errorf("%s: faults at %v, want %v", name, paths, c.paths)
			}
		}
	}
}

func s3Config(c *app.StorageConfig) {
	c.Kind = "s3"
	c.S3.Endpoints, c.S3.AccessKey, c.S3.SecretKey = []string{"http://localhost:7480"}, "a", "b"
}

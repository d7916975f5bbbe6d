// Package live has real processes' parts follow a live document in a real Consul: what changes is seen from outside, by HTTP.
package live

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gateway "calotype/gateway/app"
	"calotype/kit/boot"
	"calotype/kit/config"
	"calotype/kit/live"
	"calotype/kit/registry"
	"calotype/proto"
	image "calotype/services/image/app"
	worker "calotype/services/image/worker/app"
	storage "calotype/services/storage/app"
	"calotype/test/servers"
)

// suite is one node of each kind, each in a host of its own as if in a process of its own.
type suite struct {
	hosts   map[string]*boot.Host
	gateway *gateway.App
}

func start(t *testing.T, cluster *servers.ConsulCluster) *suite {
	t.Helper()
	dir := t.TempDir()
	s := &suite{hosts: map[string]*boot.Host{}}
	host := func(name, token string) (boot.Config, *boot.Host) {
		cfg := boot.DefaultConfig()
		cfg.Log.Level, cfg.RPC.Listen, cfg.Ops.Listen, cfg.Tracing.Sampler = "error", "127.0.0.1:0", "", "off"
		cfg.Registry.Kind, cfg.Registry.Addresses, cfg.Registry.Token = registry.Consul, cluster.Addresses(), config.Secret(cluster.Tokens[token])
		cfg.Live.Kind, cfg.Drain.Wait = live.Consul, 0
		h, err := boot.NewHost(name, cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.hosts[name] = h
		return cfg, h
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sc := storage.DefaultConfig()
	common, h := host(proto.Storage, "storage")
	sc.Config, sc.Storage.Root, sc.Storage.MinFree = common, filepath.Join(dir, "blobs"), 0
	store, err := storage.New(sc, h)
	must(err)
	ic := image.DefaultConfig()
	common, h = host(proto.Image, "image-manager")
	ic.Config, ic.Image.Database, ic.Image.Webhooks.KeepSecret, ic.Queue.Path = common, filepath.Join(dir, "image.db"), "", filepath.Join(dir, "queue.db")
	manager, err := image.New(ic, h)
	must(err)
	wc := worker.DefaultConfig()
	common, h = host(proto.Worker, "image-worker")
	wc.Config = common
	node, err := worker.New(wc, h, worker.WithQueue(manager.Queue()))
	must(err)
	gc := gateway.DefaultConfig()
	common, h = host(proto.Gateway, "gateway")
	gc.Config, gc.HTTP.Listen = common, "127.0.0.1:0"
	s.gateway, err = gateway.New(gc, h)
	must(err)

	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- boot.RunAll(ctx, store, manager, node, s.gateway) }()
	t.Cleanup(func() {
		leave()
		err := <-done
		for _, h := range s.hosts {
			err = errors.Join(err, h.Close())
		}
		if err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.gateway.Ready():
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return s
}

// upload gives the answer's code and text.
func (s *suite) upload(t *testing.T, query string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.gateway.Addr()+"/v1/images"+query, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "image/jpeg")
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error() // of a body that nobody wants to the end
	}
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return rsp.StatusCode, string(text)
}

func TestRunningNodesTakeOnALiveDocument(t *testing.T) {
	cluster := servers.NewConsulCluster(t, 3)
	s := start(t, cluster)
	r := registry.DefaultConfig()
	r.Addresses, r.Token = cluster.Addresses(), config.Secret(cluster.Management)
	store, err := live.Open(live.DefaultConfig(), r)
	if err != nil {
		t.Fatal(err)
	}
	var began time.Time
	write := func(text string) uint64 {
		t.Helper()
		began = time.Now()
		_, seen, err := store.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		version, err := store.Put(t.Context(), []byte(text), seen)
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	taken := func(version uint64) {
		t.Helper()
		await(t, "every process has taken it on", func() bool {
			for _, h := range s.hosts {
				if h.Live.State().Version != version {
					return false
				}
			}
			return true
		})
		t.Logf("version %d was in force everywhere %v after the writing began", version, time.Since(began).Round(time.Millisecond))
	}
	photo, err := os.ReadFile("../pictures/photo.jpg")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the nodes know each other", func() bool {
		code, _ := s.upload(t, "?preset=thumb", photo)
		return code == http.StatusCreated
	})

	// A preset.
	if code, text := s.upload(t, "?preset=poster", photo); code != http.StatusBadRequest || !strings.Contains(text, "UNKNOWN_PRESET") {
		t.Errorf("a preset that nobody knows: %d %s", code, text)
	}
	taken(write("image:\n  presets:\n    poster: {variants: [\"big:w_900/f_webp\"]}\n    hero: {variants: []}\n"))
	if code, text := s.upload(t, "?preset=poster", photo); code != http.StatusCreated || !strings.Contains(text, `"big"`) {
		t.Errorf("a preset that is new: %d %s", code, text)
	}
	if code, text := s.upload(t, "?preset=hero", photo); code != http.StatusBadRequest {
		t.Errorf("a preset that was switched off: %d %s", code, text)
	}

	// Limits, of the gateway and of the workers.
	taken(write("limits: {upload: 1KiB}"))
	if code, text := s.upload(t, "", photo); code != http.StatusRequestEntityTooLarge {
		t.Errorf("more than is taken now: %d %s", code, text)
	}
	taken(write("worker: {limits: {pixels: 1000}}"))
	if code, text := s.upload(t, "", other(photo)); code != http.StatusRequestEntityTooLarge || !strings.Contains(text, "IMAGE_TOO_LARGE") {
		t.Errorf("more pixels than are taken now: %d %s", code, text)
	}

	// What is bad is kept out, by those whom it concerns.
	good := write("limits: {upload: 50MiB}\nimage: {presets: {poster: {variants: [\"big:w_900/f_webp\"]}}}")
	taken(good)
	write("limits: {upload: 50MiB}\nimage: {presets: {poster: {variants: [\"big:w_0\"]}}}")
	await(t, "the manager has refused it", func() bool { return s.hosts[proto.Image].Live.State().Rejected > good })
	if why := s.hosts[proto.Image].Live.State().String(); !strings.Contains(why, "consul:calotype/config:2: image.presets.poster.variants[0].options[0].w") {
		t.Errorf("it says %s", why)
	}
	if code, text := s.upload(t, "?preset=poster", photo); code != http.StatusCreated || !strings.Contains(text, `"big"`) {
		t.Errorf("after a bad document: %d %s", code, text)
	}

	// Two of three servers go: nothing can be written, and nothing changes.
	down := cluster.Nodes[:2]
	for _, n := range down {
		n.Kill()
	}
	if _, _, err := store.Get(t.Context()); err == nil {
		t.Error("one of three servers tells what the document is")
	}
	if code, text := s.upload(t, "?preset=poster", photo); code != http.StatusCreated {
		t.Errorf("without Consul: %d %s", code, text)
	}
	for _, n := range down {
		n.Start() // ready when there is a leader again: with this one there are two
	}
	await(t, "Consul answers again", func() bool {
		_, _, err := store.Get(t.Context())
		return err == nil
	})
	taken(write("image: {backlog: 7}"))
	if code, _ := s.upload(t, "?preset=poster", photo); code != http.StatusBadRequest {
		t.Errorf("a preset that has gone: %d", code)
	}
}

// other is the same picture in other bytes, which nobody has looked at yet.
func other(jpeg []byte) []byte { return append(bytes.Clone(jpeg), 0) }

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-again.C:
		}
	}
}

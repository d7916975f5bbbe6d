//go:build linux

package isolation_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"calotype/kit/config"
	"calotype/services/image/internal/isolation"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/worker"
	"calotype/test/race"
)

// TestMain lets the test binary be a helper.
func TestMain(m *testing.M) {
	if isolation.Asked() {
		os.Exit(isolation.Serve(open))
	}
	if os.Getenv(asNode) != "" {
		os.Exit(node())
	}
	os.Exit(m.Run())
}

// direct is the engine in this process, as a worker's app has it.
type direct struct{ *pipeline.Engine }

func (d direct) Render(ctx context.Context, in job.Input, variants []recipe.Variant, tell func(job.Progress)) ([]worker.Rendered, error) {
	done, err := d.Engine.Render(ctx, in, variants, tell)
	var out []worker.Rendered
	for _, r := range done {
		out = append(out, worker.Rendered(r))
	}
	return out, err
}

func open(settings []byte, observe func(op, format string, took time.Duration)) (worker.Engine, error) {
	var cfg pipeline.Config
	if err := gob.NewDecoder(bytes.NewReader(settings)).Decode(&cfg); err != nil {
		return nil, err
	}
	cfg.Observe = observe
	e, err := pipeline.New(cfg)
	if err != nil {
		return nil, err
	}
	_, err = pipeline.FindCapabilities()
	return hooked{direct{e}}, err
}

// world is a pool and what it tells.
type world struct {
	*isolation.Pool
	metrics *prometheus.Registry
	log     *lines

	mu  sync.Mutex
	cfg pipeline.Config
}

func (w *world) settings() ([]byte, int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(w.cfg); err != nil {
		panic(err)
	}
	return b.Bytes(), int64(w.cfg.Limits.OutputBytes)
}

// begin opens a pool of one helper that renders and one that looks.
func begin(t testing.TB, change ...func(*isolation.Options)) *world {
	t.Helper()
	w := &world{metrics: prometheus.NewRegistry(), log: &lines{}, cfg: pipeline.Config{Limits: pipeline.DefaultLimits()}}
	o := isolation.Options{Config: isolation.DefaultConfig(), Renders: 1, Looks: 1, Settings: w.settings,
		Metrics: isolation.NewMetrics(w.metrics), Log: slog.New(slog.NewTextHandler(w.log, nil))}
	if race.Detector { // its shadow of the memory counts
		o.Memory = 1 << 50
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if w.Pool, err = isolation.Open(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(w.log.text())
		}
	})
	return w
}

// hook has the helper do something else than a picture.
func (w *world) hook(ctx context.Context, what string) (string, error) {
	made, err := w.Render(ctx, job.Input{Data: []byte("hook:" + what)}, []recipe.Variant{thumb}, nil)
	if err != nil {
		return "", err
	}
	return string(made[0].Data), nil
}

// works expects that a picture can be made.
func (w *world) works(t testing.TB) {
	t.Helper()
	made, err := w.Render(t.Context(), job.Input{Data: picture(t, "photo.jpg")}, []recipe.Variant{thumb}, nil)
	if err != nil || len(made) != 1 || made[0].Width != 64 {
		t.Fatalf("made %d, %v", len(made), err)
	}
}

// value is that of a metric with these labels, in the order of their names.
func (w *world) value(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	all, err := w.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			if f.GetName() == name && strings.Join(have, " ") == strings.Join(labels, " ") {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no %s of %v", name, labels)
	return 0
}

func (w *world) ends(t testing.TB, reason string) float64 {
	return w.value(t, "calotype_worker_helper_ends_total", reason)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for tick := time.Tick(time.Millisecond); !ok(); <-tick {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

var thumb = recipe.Variant{Name: "thumb", Steps: []recipe.Step{recipe.Resize{Mode: recipe.Limit, Width: 64}}, Output: recipe.Output{Format: recipe.PNG}}

func picture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../../test/pictures", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// logger is the log as who writes has it.
func (w *world) logger() *slog.Logger { return slog.New(slog.NewTextHandler(w.log, nil)) }

// spoil makes settings that no helper can start with, or good ones again.
func (w *world) spoil(bad bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cfg.Limits.Side = pipeline.DefaultLimits().Side
	if bad {
		w.cfg.Limits.Side = -1
	}
}

// little is so few bytes that a helper soon has no more.
const little = 256 * config.MiB

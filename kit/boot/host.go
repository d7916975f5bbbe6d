package boot

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"crypto/rand"

	"github.com/opentracing/opentracing-go"
	"github.com/prometheus/client_golang/prometheus"
	"go-micro.dev/v4/client"
	"go-micro.dev/v4/registry"

	"calotype/kit/health"
	"calotype/kit/leader"
	"calotype/kit/live"
	"calotype/kit/logging"
	"calotype/kit/metrics"
	kitregistry "calotype/kit/registry"
	"calotype/kit/rpc"
	"calotype/kit/tracing"
)

// Host is what one process has, whatever number of services runs in it.
type Host struct {
	Name    string // of the process: a service's, or "calotype"
	ID      string // of this run of it; nodes are registered as <service>-<ID>
	Version string
	Commit  string

	Log      *slog.Logger
	Tracer   opentracing.Tracer
	Registry registry.Registry
	Live     *live.Settings // what may change while the process runs
	Leader   leader.Elector // among the processes of this name; see Elector
	Metrics  *prometheus.Registry
	Health   *health.Checks

	cfg     Config
	started time.Time
	tracer  *tracing.Tracer
	ops     *opsServer
	tls     *tls.Config // towards other services; nil: clear text

	mu     sync.Mutex
	client *rpc.Client
	duties map[string]string // who leads what: the service of each
}

// NewHost makes the parts of a process and begins to serve its health and metrics. Close it after everything else.
func NewHost(name string, cfg Config) (*Host, error) {
	version, commit := Build()
	h := &Host{Name: name, ID: newID(), Version: version, Commit: commit, cfg: cfg, started: time.Now(), duties: map[string]string{}}
	if err := h.open(); err != nil {
		return nil, errors.Join(err, h.release())
	}
	h.Log.Info("starting", "version", version, "commit", commit, "ops", h.OpsAddr())
	return h, nil
}

// open makes the parts. What is made already when one cannot be is the caller's to release.
func (h *Host) open() (err error) {
	cfg := h.cfg
	var level logging.Level
	if h.Log, err = logging.NewWithLevel(cfg.Log, logging.Service{Name: h.Name, Version: h.Version, Node: h.ID}, os.Stderr, &level); err != nil {
		return err
	}
	logging.Adopt(h.Log)
	if h.Registry, err = kitregistry.New(cfg.Registry); err != nil {
		return err
	}
	if h.tracer, err = tracing.New(cfg.Tracing, tracing.Process{Service: h.Name, Version: h.Version, Node: h.ID}, h.Log); err != nil {
		return err
	}
	h.Tracer = h.tracer
	if h.tls, err = h.clientTLS(cfg.RPC.TLS); err != nil {
		return err
	}
	h.Metrics = metrics.NewRegistry(h.Version, h.Commit)
	if h.Leader, err = leader.New(cfg.Leader, cfg.Registry, leader.Process{Service: h.Name, Node: h.ID, Log: h.Log, Metrics: h.Metrics}); err != nil {
		return err
	}
	if h.Live, err = live.New(cfg.Live, cfg.Registry, live.Process{Log: h.Log, Metrics: h.Metrics}); err != nil {
		return err
	}
	live.Take(h.Live, cfg, func(c Config) (func(), error) { return func() { level.Set(c.Log.Level) }, nil })
	h.Health = health.New(cfg.Health)
	h.ops, err = serveOps(cfg.Ops, h)
	return err
}

// newID is unique and tells the machine; it fits a DNS label behind a service's name, as mdns needs it.
func newID() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "node"
	}
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, name)
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.Trim(name[:min(len(name), 24)], "-") + "-" + hex.EncodeToString(b[:])
}

// Client gives the process's one RPC client: traced, counted, and finding every service in the registry.
func (h *Host) Client() *rpc.Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client == nil {
		h.client = rpc.NewClient(rpc.ClientConfig{
			Log: h.Log, TLS: h.tls, Timeout: h.cfg.RPC.Timeout, Attempts: h.cfg.RPC.Attempts, Observe: metrics.ClientEvents(h.Metrics),
		},
			client.Registry(h.Registry),
			client.Wrap(metrics.NewClientWrapper(h.Metrics)),
			tracing.Client(h.Tracer),
			client.Wrap(logging.NewClientWrapper()),
		)
		metrics.Datacenters(h.Metrics, h.client)
	}
	return h.client
}

// OpsAddr is where /healthz, /readyz and /metrics are served, "" for nowhere.
func (h *Host) OpsAddr() string {
	if h.ops == nil {
		return ""
	}
	return h.ops.listener.Addr().String()
}

// Close lets go of everything; spans that wait are sent.
func (h *Host) Close() error {
	err := h.release()
	h.Log.Info("stopped")
	return err
}

// release lets go of what there is.
func (h *Host) release() error {
	var errs []error
	h.mu.Lock()
	if h.client != nil {
		errs = append(errs, h.client.Close())
	}
	h.mu.Unlock()
	if h.Live != nil {
		h.Live.Close()
	}
	for _, part := range []any{h.Leader, h.Registry} { // those that keep connections
		if c, ok := part.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	if h.Health != nil {
		h.Health.Close()
	}
	if h.ops != nil {
		errs = append(errs, h.ops.close())
	}
	if h.tracer != nil {
		h.closeTracer()
	}
	return errors.Join(errs...)
}

func (h *Host) closeTracer() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := h.tracer.Close(ctx); err != nil {
		// Lost spans are no reason for a process to have failed.
		h.Log.Warn("the last spans are lost", "error", err)
	}
}

// wait is how long the news of a node's leaving takes.
func (h *Host) wait(cfg DrainConfig) time.Duration {
	if h.cfg.Registry.Kind == kitregistry.Memory {
		return 0
	}
	return cfg.Wait
}

func (h *Host) String() string { return fmt.Sprintf("%s (%s)", h.Name, h.ID) }

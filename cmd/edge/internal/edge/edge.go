package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"go-micro.dev/v4/registry"

	"calotype/cmd/edge/internal/nginx"
	"calotype/cmd/edge/internal/nodes"
	"calotype/cmd/edge/internal/relay"
	"calotype/kit/boot"
	"calotype/kit/health"
	"calotype/kit/registry/follow"
	"calotype/proto"
)

// App is an nginx that is configured and does not yet run: Run runs it.
type App struct {
	cfg     Config
	host    *boot.Host
	nginx   *nginx.Server
	relay   *relay.Relay
	status  *nginx.Status
	metrics *counters
	gate    *health.Gate
	file    nodes.File
	sockets []listening
}

type listening struct {
	net.Listener
	serve func(net.Listener) error
}

// New configures nginx, has it checked, and opens the sockets that its upstream leads to.
func New(cfg Config, host *boot.Host) (*App, error) {
	s := cfg.settings()
	server, err := nginx.New(context.Background(), cfg.Edge.Nginx, cfg.Edge.Template, s, host.Log)
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, host: host, nginx: server, file: nodes.File(cfg.Edge.State), metrics: newCounters(), gate: host.Health.Gate("nginx")}
	if err := server.Configure(context.Background()); err != nil {
		return nil, err
	}
	g, counted := cfg.Edge.Gateways, relay.NewMetrics()
	counted.Register(host.Metrics)
	a.metrics.register(host.Metrics)
	a.status = nginx.NewStatus(s.Status())
	host.Metrics.MustRegister(a.status)
	a.relay = relay.New(relay.Config{Connect: g.Connect, Probe: g.Probe, Silence: g.Silence, Log: host.Log, Metrics: counted, Live: lives})
	for slot := range slots {
		for path, refusal := range map[string]relay.Refusal{s.HTTPSocket(slot): relay.Refusal(nginx.Refusal), s.GRPCSocket(slot): nil} {
			err = errors.Join(err, a.listen(path, func(l net.Listener) error { return a.relay.Serve(l, slot, slots, refusal) }))
		}
	}
	spare := func(l net.Listener) error { return a.relay.Serve(l, 0, 1, relay.Refusal(nginx.Refusal)) }
	if err = errors.Join(err, a.listen(s.Spare(), spare), a.listen(s.Control(), a.control)); err != nil {
		a.close()
		return nil, err
	}
	if dir := filepath.Dir(cfg.Edge.State); cfg.Edge.State != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			host.Log.Warn("the list of gateways cannot be kept", "error", err)
		}
	}
	host.Health.Add("nginx", a.status.Answers)
	host.Health.Add("gateways", func(context.Context) error { return a.anyGateway() })
	return a, nil
}

func (a *App) listen(path string, serve func(net.Listener) error) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the socket of one before: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listening for nginx: %w", err)
	}
	a.sockets = append(a.sockets, listening{l, serve})
	return nil
}

func (a *App) close() {
	for _, l := range a.sockets {
		l.Close()
	}
	a.relay.Close()
}

// Run starts nginx and follows the gateways until ctx ends, then lets nginx finish. It fails when nginx ends by itself.
func (a *App) Run(ctx context.Context) (err error) {
	defer a.close()
	a.remember()
	var work sync.WaitGroup
	defer work.Wait()
	background, stop := context.WithCancel(context.WithoutCancel(ctx)) // what is under way goes on while nginx finishes
	defer stop()
	for _, l := range a.sockets {
		work.Go(func() {
			if err := l.serve(l.Listener); err != nil && background.Err() == nil {
				a.host.Log.Error("a socket is no longer served", "error", err)
			}
		})
	}
	defer func() {
		for _, l := range a.sockets {
			l.Close()
		}
	}()
	if err := a.nginx.Start(); err != nil {
		return err
	}
	a.host.Log.Info("serving", "nginx", a.nginx.Version().String(), "http", a.cfg.Edge.HTTP, "grpc", a.cfg.Edge.GRPC, "tls", a.serves())
	work.Go(func() {
		follow.Run(background, follow.Config{Registry: a.host.Registry, Service: proto.Gateway, Relist: 10 * time.Second, Log: a.host.Log}, a.set)
	})
	work.Go(func() { a.reloads(background) })
	a.gate.Set(true)
	select {
	case <-a.nginx.Done():
		return endedByItself(a.nginx.Err())
	case <-ctx.Done():
	}
	a.gate.Set(false)
	a.host.Log.Info("draining")
	time.Sleep(a.cfg.Drain.Wait)
	return a.nginx.Stop(a.cfg.Drain.Timeout)
}

func endedByItself(how error) error {
	if how == nil {
		return errors.New("nginx ended by itself, without an error")
	}
	return fmt.Errorf("nginx ended by itself: %w", how)
}

func (a *App) serves() string {
	if a.cfg.Edge.TLS.CertFile == "" {
		return ""
	}
	return a.cfg.Edge.TLS.Listen
}

// remember begins with the gateways of the last run: the registry may be away, and those that are gone do not answer.
func (a *App) remember() {
	if a.file == "" {
		return
	}
	last, err := a.file.Read()
	if err != nil {
		a.host.Log.Warn("the last list of gateways is lost", "error", err)
		return
	}
	a.relay.Set(last...)
}

// set takes a list of the registry's. An empty one changes nothing, nor does one that has none in a datacenter there.
func (a *App) set(list []*registry.Node) {
	addresses := nodes.Addresses(list)
	if len(addresses) == 0 {
		if listed, _ := a.relay.Known(); listed > 0 && a.metrics.empty() {
			a.host.Log.Warn("the registry knows no gateway; keeping those that were there", "gateways", listed)
		}
		return
	}
	addresses, changed := a.metrics.listed(addresses)
	a.relay.Set(addresses...)
	if !changed || a.file == "" {
		return
	}
	if err := a.file.Write(addresses); err != nil {
		a.host.Log.Warn("the list of gateways is not kept", "error", err)
	}
}

func (a *App) anyGateway() error {
	listed, well := a.relay.Known()
	switch {
	case listed == 0:
		return errors.New("no gateway is known")
	case well == 0:
		return fmt.Errorf("none of %d gateways answers", listed)
	}
	return nil
}

// control answers nginx: /readyz as the outside may see it.
func (a *App) control(l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if !a.host.Health.Report().Ready {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("not ready\n"))
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, ErrorLog: slog.NewLogLogger(a.host.Log.Handler(), slog.LevelDebug)}
	err := s.Serve(l)
	_ = s.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// lives asks a gateway whether it can answer at all; whether it is ready is for it to say in the registry.
func lives(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return err
	}
	rsp, err := probing.RoundTrip(req)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	if rsp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", rsp.Status)
	}
	return nil
}

// probing opens a connection for each probe: one that is kept says nothing of whether new ones are taken.
var probing = &http.Transport{DisableKeepAlives: true}

// reloads has nginx take its template and certificates anew when it is told to by SIGHUP, and when the certificate's files change. An
// nginx that is reloaded closes its clients' idle connections: that is why nodes need no reload.
func (a *App) reloads(ctx context.Context) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	seen := a.certificates()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		case <-tick.C:
			if now := a.certificates(); now == seen {
				continue
			}
		}
		seen = a.certificates()
		if err := a.nginx.Reload(ctx); err != nil {
			a.metrics.reloads.WithLabelValues("failed").Inc()
			a.host.Log.Error("nginx goes on with the configuration that it has", "error", err)
			continue
		}
		a.metrics.reloads.WithLabelValues("ok").Inc()
		a.host.Log.Info("nginx was reloaded")
	}
}

// certificates tells one state of the files from another.
func (a *App) certificates() string {
	var all strings.Builder
	for _, path := range []string{a.cfg.Edge.TLS.CertFile, a.cfg.Edge.TLS.KeyFile} {
		if info, err := os.Stat(path); err == nil { //nolint:gosec // the operator names it
			fmt.Fprintf(&all, "%d %d\n", info.ModTime().UnixNano(), info.Size())
		}
	}
	return all.String()
}

package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"calotype/kit/metrics"
)

// opsServer tells about the process on an address of its own, which the outside need not reach. It answers until the very end:
// a draining process is asked how it is.
type opsServer struct {
	listener net.Listener
	server   *http.Server
}

func serveOps(cfg OpsConfig, h *Host) (*opsServer, error) {
	if cfg.Listen == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for ops.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.Health.Live)
	mux.HandleFunc("GET /readyz", h.Health.ServeReady)
	mux.Handle("GET /metrics", metrics.Handler(h.Metrics))
	if cfg.Profile {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	o := &opsServer{listener: l, server: &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
	}}
	go func() {
		if err := o.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			h.Log.Error("health and metrics are no longer served", "error", err)
		}
	}()
	return o, nil
}

// opsKey is the metadata under which a node names the port of its health and metrics, for whoever collects them to find it in the registry.
const opsKey = "ops"

// withOps adds the port to a node's metadata, where it is to be reached at the address of the node: on all addresses, or on that which
// the node's own is told by.
func (h *Host) withOps(md map[string]string, listen, advertise string) map[string]string {
	md = maps.Clone(md)
	if md == nil {
		md = map[string]string{}
	}
	if h.ops == nil {
		return md
	}
	host, port, err := net.SplitHostPort(h.OpsAddr())
	if err != nil {
		return md
	}
	told := advertise
	if told == "" {
		told = listen
	}
	if name, _, err := net.SplitHostPort(told); err == nil {
		told = name
	}
	if net.ParseIP(host).IsUnspecified() || host == told {
		md[opsKey] = port
	}
	return md
}

func (o *opsServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := o.server.Shutdown(ctx); err != nil {
		return o.server.Close() // somebody is still taking a profile
	}
	return nil
}

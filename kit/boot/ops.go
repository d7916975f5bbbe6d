package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

func (o *opsServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := o.server.Shutdown(ctx); err != nil {
		return o.server.Close() // somebody is still taking a profile
	}
	return nil
}

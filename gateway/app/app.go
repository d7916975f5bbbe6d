// Package app joins the parts of the gateway: the routes, the edge around them, and the service that registers and drains. It is what
// main runs, and what `calotype up` and the tests run too.
package app

import (
	"context"
	"net/http"

	"calotype/kit/boot"
	"calotype/proto"
)

// App is a gateway that listens and does not yet serve: Run does, until its context ends.
type App struct {
	*boot.Service
	nodes interface{ Close() }
}

// New builds the routes over the process's RPC client and opens the listener.
func New(cfg Config, host *boot.Host) (*App, error) {
	leaving, leave := context.WithCancel(context.Background())
	site, err := newSite(leaving, cfg, host)
	if err != nil {
		leave()
		return nil, err
	}
	service, err := host.NewHTTPService(proto.Gateway, boot.HTTPConfig{
		Listen: cfg.HTTP.Listen, Advertise: cfg.HTTP.Advertise, Drain: cfg.Drain, Route: site.route,
		Configure: func(s *http.Server) {
			s.ReadHeaderTimeout, s.IdleTimeout, s.MaxHeaderBytes = cfg.Timeouts.Header, cfg.Timeouts.Idle, int(cfg.Limits.Header)
			s.RegisterOnShutdown(leave)
		},
	}, site.handler)
	if err != nil {
		leave()
		return nil, err
	}
	service.Go("following", func(context.Context) error {
		return host.Client().Follow(proto.Greeter, proto.Image, proto.Worker, proto.Storage)
	})
	return &App{service, site.nodes}, nil
}

// Run serves until ctx ends, then leaves in order.
func (a *App) Run(ctx context.Context) error {
	defer a.nodes.Close()
	return a.Service.Run(ctx)
}

// Package app joins the parts of the gateway: the routes, the edge around them, and the service that registers and drains. It is what
// main runs, and what `calotype up` and the tests run too.
package app

import (
	"context"
	"net/http"
	"time"

	"calotype/kit/boot"
	"calotype/proto"
)

// App is a gateway that listens and does not yet serve: Run does, until its context ends.
type App struct {
	*boot.Service
	site *site
}

// New builds the routes over the process's RPC client and opens the listener.
func New(cfg Config, host *boot.Host) (*App, error) {
	leaving, leave := context.WithCancel(context.Background())
	late, giveUp := context.WithCancel(context.Background())
	fail := func(err error) (*App, error) {
		leave()
		giveUp()
		return nil, err
	}
	site, err := newSite(leaving, late, cfg, host)
	if err != nil {
		return fail(err)
	}
	service, err := host.NewHTTPService(proto.Gateway, boot.HTTPConfig{
		Listen: cfg.HTTP.Listen, Advertise: cfg.HTTP.Advertise, Drain: cfg.Drain, Route: site.route,
		Configure: func(s *http.Server) {
			s.ReadHeaderTimeout, s.IdleTimeout, s.MaxHeaderBytes = cfg.Timeouts.Header, cfg.Timeouts.Idle, int(cfg.Limits.Header)
			s.HTTP2 = http2Config(cfg)
			s.RegisterOnShutdown(leave)
		},
	}, site.handler)
	if err != nil {
		site.close()
		return fail(err)
	}
	service.Go("following", func(context.Context) error {
		return host.Client().Follow(proto.Greeter, proto.Image, proto.Worker, proto.Storage)
	})
	service.Go("results", site.results.Run)
	service.Go("following gRPC services", func(ctx context.Context) error {
		err := site.grpc.catalog.Run(ctx)
		// Streams that have no end are told in time to go elsewhere; else the connection would break under them.
		time.AfterFunc(cfg.Drain.Timeout-min(cfg.Drain.Timeout/5, time.Second), giveUp)
		return err
	})
	return &App{service, site}, nil
}

// Run serves until ctx ends, then leaves in order.
func (a *App) Run(ctx context.Context) error {
	defer a.site.close()
	return a.Service.Run(ctx)
}

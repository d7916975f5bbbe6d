// Package app wires the greeter: the handler, its service, and the process it runs in.
package app

import (
	"go-micro.dev/v4/server"

	"calotype/kit/boot"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	"calotype/services/greeter/internal/rpc"
)

// Config is the greeter's configuration.
type Config struct {
	boot.Config `koanf:",squash"`
}

// DefaultConfig runs on one machine.
func DefaultConfig() Config { return Config{Config: boot.DefaultConfig()} }

// App is a greeter that listens and does not yet serve: Run does, until its context ends.
type App struct{ *boot.Service }

// New makes a greeter in a process.
func New(cfg Config, host *boot.Host) (*App, error) {
	s := rpc.Greeter{Node: &greeterv1.Node{Id: host.ID, Version: host.Version, Commit: host.Commit}}
	svc, err := host.NewService(proto.Greeter, cfg.Service(), func(srv server.Server) error {
		return greeterv1.RegisterGreeterHandler(srv, &s)
	})
	if err != nil {
		return nil, err
	}
	s.Draining = svc.Draining()
	return &App{svc}, nil
}

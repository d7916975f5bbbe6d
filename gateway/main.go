// Command gateway serves Calotype's REST interface and console, and finds everything behind them in the registry.
package main

import (
	"context"
	"errors"

	"calotype/gateway/app"
	"calotype/kit/boot"
	"calotype/proto"
)

func main() { boot.Main(proto.Gateway, run) }

func run(ctx context.Context, args []string) (err error) {
	cfg := app.DefaultConfig()
	if err := boot.Configure(proto.Gateway, &cfg, args); err != nil {
		return err
	}
	host, err := boot.NewHost(proto.Gateway, cfg.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	a, err := app.New(cfg, host)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

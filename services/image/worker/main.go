// Command worker is a processing node: it makes variants of originals, for the queue and for who waits.
package main

import (
	"context"
	"errors"

	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/image/worker/app"
)

func main() { boot.Main(proto.Worker, run) }

func run(ctx context.Context, args []string) (err error) {
	cfg := app.DefaultConfig()
	if err := boot.Configure(proto.Worker, &cfg, args); err != nil {
		return err
	}
	host, err := boot.NewHost(proto.Worker, cfg.Config)
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

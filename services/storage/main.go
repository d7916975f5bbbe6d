// Command storage serves blobs by the sha256 of their content.
package main

import (
	"context"
	"errors"

	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/storage/app"
)

func main() { boot.Main(proto.Storage, run) }

func run(ctx context.Context, args []string) (err error) {
	cfg := app.DefaultConfig()
	if err := boot.Configure(proto.Storage, &cfg, args); err != nil {
		return err
	}
	host, err := boot.NewHost(proto.Storage, cfg.Config)
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

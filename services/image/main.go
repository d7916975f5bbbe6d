// Command image is the image manager: it registers originals and brings jobs to the nodes that work on them.
package main

import (
	"context"
	"errors"

	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/image/app"
)

func main() { boot.Main(proto.Image, run) }

func run(ctx context.Context, args []string) (err error) {
	cfg := app.DefaultConfig()
	if err := boot.Configure(proto.Image, &cfg, args); err != nil {
		return err
	}
	host, err := boot.NewHost(proto.Image, cfg.Config)
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

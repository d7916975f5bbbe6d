// Command greeter answers with the identity of the node that answered.
package main

import (
	"context"
	"errors"

	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/greeter/app"
)

func main() { boot.Main(proto.Greeter, run) }

func run(ctx context.Context, args []string) (err error) {
	cfg := app.DefaultConfig()
	if err := boot.Configure(proto.Greeter, &cfg, args); err != nil {
		return err
	}
	host, err := boot.NewHost(proto.Greeter, cfg.Config)
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

// Command cluster breaks a running cluster of containers while it is loaded, and reports who noticed.
//
//	go run ./test/chaos/cluster -short
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"calotype/test/chaos/cluster/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	cfg, err := app.Flags(os.Args[1:])
	if err == nil {
		err = app.Run(ctx, cfg)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

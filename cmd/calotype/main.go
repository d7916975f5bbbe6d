// Command calotype runs the whole suite in one process, and talks to a running one.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"calotype/cmd/calotype/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal drains; a second one, when nobody listens any more, ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(command.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

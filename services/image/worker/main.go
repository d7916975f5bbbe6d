// Command worker is a processing node: it makes variants of originals, for the queue and for who waits.
package main

import (
	"os"
	"runtime/debug"

	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/image/worker/app"
)

func main() {
	app.Help()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // the pictures are the library's memory; Go's is originals that stay, which garbage need not double
	}
	boot.MainOf(proto.Worker, app.DefaultConfig(), func(cfg app.Config, host *boot.Host) (*app.App, error) { return app.New(cfg, host) })
}

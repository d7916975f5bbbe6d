// Command worker is a processing node: it makes variants of originals, for the queue and for who waits.
package main

import (
	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/image/worker/app"
)

func main() {
	app.Help()
	boot.MainOf(proto.Worker, app.DefaultConfig(), func(cfg app.Config, host *boot.Host) (*app.App, error) { return app.New(cfg, host) })
}

// Command fragile is the worker, but for one thing: a picture that holds the word it dreads kills the process, as a defect in a decoder
// would.
package main

import (
	"bytes"
	"context"
	"syscall"

	"calotype/kit/boot"
	"calotype/proto"
	"calotype/services/image/worker/app"
)

const dread = "calotype poison"

func main() {
	decoder := app.WithDecoder(func(e app.Engine) app.Engine { return fragile{e} })
	app.Help(decoder)
	boot.MainOf(proto.Worker, app.DefaultConfig(), func(cfg app.Config, host *boot.Host) (*app.App, error) { return app.New(cfg, host, decoder) })
}

type fragile struct{ app.Engine }

func (f fragile) Render(ctx context.Context, in app.Input, variants []app.Variant, tell func(app.Progress)) ([]app.Rendered, error) {
	if bytes.Contains(in.Data, []byte(dread)) {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL) // nothing runs after it
		select {}
	}
	return f.Engine.Render(ctx, in, variants, tell)
}

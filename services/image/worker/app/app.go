// Package app joins the parts of a processing node. It is what main runs, and what `calotype up` and the tests run too.
package app

import (
	"context"
	"errors"
	"fmt"

	"go-micro.dev/v4/server"

	"calotype/kit/boot"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/app/queue"
	"calotype/services/image/internal/blobclient"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/pipeline"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/rpc"
	"calotype/services/image/internal/worker"
)

// App is a processing node in a process. There is one in a host.
type App struct {
	service *boot.Service
	close   func() error
}

// Option changes what New does.
type Option func(*options)

type options struct{ queue job.Queue }

// WithQueue takes tasks from a queue that somebody else opened and closes: the manager's, when it is in the same process.
func WithQueue(q job.Queue) Option { return func(o *options) { o.queue = q } }

// New starts the picture library and opens the queue and the listener. The queue is closed when Run ends.
func New(cfg Config, host *boot.Host, opts ...Option) (_ *App, err error) {
	var o options
	for _, f := range opts {
		f(&o)
	}
	metrics := worker.NewMetrics(host.Metrics)
	pictures, err := pipeline.New(pipeline.Config{Limits: cfg.Worker.Limits, Observe: metrics.Engine})
	if err != nil {
		return nil, err
	}
	shut := func() error { return nil }
	if o.queue == nil {
		q, err := queue.Open(cfg.Queue, host.Log)
		if err != nil {
			return nil, err
		}
		o.queue, shut = q, q.Close
	}
	blobs := blobclient.New(host.Client())
	w := worker.New(cfg.Worker.Config, worker.Parts{
		Originals: blobs, Results: blobs, Engine: engine{pictures}, Queue: o.queue, Desk: rpc.NewDesk(host.Client()), Limit: int64(cfg.Worker.Limits.Bytes),
		Node: host.ID, Tracer: host.Tracer, Metrics: metrics, Log: host.Log,
	})
	service, err := host.NewService(proto.Worker, cfg.Service(), func(s server.Server) error {
		return imagev1.RegisterTransformerHandler(s, rpc.NewTransformer(w.Transformer))
	})
	if err != nil {
		return nil, errors.Join(err, shut())
	}
	service.Status(func() boot.Load {
		slots, inFlight, waiting := w.Load()
		return boot.Load{Slots: slots, InFlight: inFlight, Waiting: waiting}
	})
	service.Go("following", func(context.Context) error { return host.Client().Follow(proto.Storage, proto.Image) })
	service.Go("tasks", func(ctx context.Context) error { return w.Consumer.Run(ctx, boot.Work(ctx)) })
	return &App{service: service, close: shut}, nil
}

// Addr is where the node listens.
func (a *App) Addr() string { return a.service.Addr() }

// Ready is closed once the node serves and can be found.
func (a *App) Ready() <-chan struct{} { return a.service.Ready() }

// Run works until ctx ends, then leaves in order.
func (a *App) Run(ctx context.Context) error {
	err := a.service.Run(ctx)
	if closed := a.close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("closing the queue: %w", closed))
	}
	return err
}

// Capabilities tells what the picture library can do. Formats are missing where it cannot be started.
func Capabilities() pipeline.Capabilities {
	c, err := pipeline.FindCapabilities()
	if err != nil {
		c.Version += " (" + err.Error() + ")"
	}
	return c
}

// engine is the pipeline as the use cases know it.
type engine struct{ *pipeline.Engine }

// Render implements worker.Engine.
func (e engine) Render(ctx context.Context, data []byte, variants []recipe.Variant) ([]worker.Rendered, error) {
	done, err := e.Engine.Render(ctx, data, variants, nil)
	out := make([]worker.Rendered, len(done))
	for i, r := range done {
		out[i] = worker.Rendered(r)
	}
	return out, err
}

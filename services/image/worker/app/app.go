// Package app joins the parts of a processing node. It is what main runs, and what `calotype up` and the tests run too.
package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go-micro.dev/v4/server"

	"calotype/kit/boot"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/app/queue"
	"calotype/services/image/internal/blobclient"
	"calotype/services/image/internal/isolation"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/mezzanine"
	"calotype/services/image/internal/originals"
	"calotype/services/image/internal/pipeline"
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

type options struct {
	queue   job.Queue
	blobs   Blobs // nil: those of the storage service
	wrap    func(Engine) Engine
	decoder func(Engine) Engine
}

func choose(opts []Option) options {
	same := func(e Engine) Engine { return e }
	o := options{wrap: same, decoder: same}
	for _, f := range opts {
		f(&o)
	}
	return o
}

// WithQueue takes tasks from a queue that somebody else opened and closes: the manager's, when it is in the same process.
func WithQueue(q job.Queue) Option { return func(o *options) { o.queue = q } }

// New starts the picture library, or the processes that have it, and opens the queue and the listener. What was opened is closed when Run ends.
func New(cfg Config, host *boot.Host, opts ...Option) (_ *App, err error) {
	o := choose(opts)
	if o.blobs == nil {
		o.blobs = blobclient.New(host.Client())
	}
	metrics := worker.NewMetrics(host.Metrics)
	pictures, shut, err := decode(cfg, host, o, metrics.Engine)
	if err != nil {
		return nil, err
	}
	if len(cfg.Worker.Formats) > 0 && cfg.Worker.Isolation.Mode != isolation.Process {
		host.Log.Warn("originals are taken whose decoders are not made for strangers' files, and decoded in this process: see worker.isolation", "formats", cfg.Worker.Formats)
	}
	kept, err := originals.New(cfg.Worker.Originals, o.blobs, host.Metrics, host.Log)
	if err != nil {
		return nil, errors.Join(err, shut())
	}
	made := o.wrap(pictures)
	var copies worker.Copies
	if size := cfg.Worker.Mezzanine; size > 0 {
		copies = mezzanine.New(size, made, kept, pictures.settings, host.Metrics)
	}
	if o.queue == nil {
		q, err := queue.Open(cfg.Queue, host.Log)
		if err != nil {
			return nil, errors.Join(err, shut())
		}
		still := shut
		o.queue, shut = q, func() error { return errors.Join(still(), q.Close()) }
		if c, ok := q.(prometheus.Collector); ok {
			_ = host.Metrics.Register(c) // where a manager in this process told of its own, this one goes without
		}
	}
	w := worker.New(cfg.Worker.Config, worker.Parts{
		Originals: kept, Results: o.blobs, Engine: made, Weigh: weigh(cfg, pictures), Copies: copies, Abilities: pictures.abilities, Queue: o.queue, Desk: rpc.NewDesk(host.Client()), Limit: pictures.limit,
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
	service.Go("originals", kept.Run)
	service.Go("idle memory", func(ctx context.Context) error { return release(ctx, w, pictures, kept) })
	service.Go("tasks", func(ctx context.Context) error {
		work, cancel := workUntil(ctx, cfg.Drain.Timeout-handBack(cfg.Drain.Timeout))
		defer cancel()
		return w.Consumer.Run(ctx, work)
	})
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
		err = errors.Join(err, fmt.Errorf("closing what the node had open: %w", closed))
	}
	return err
}

// handBack is how much of the drain's time is left for giving back what did not get done: others have it at once then, and nothing counts
// as lost.
func handBack(drain time.Duration) time.Duration { return min(2*time.Second, drain/4) }

// workUntil gives a context for work that was begun: it ends so long after ctx, or with the drain's time.
func workUntil(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(boot.Work(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(after, cancel)
		context.AfterFunc(work, func() { t.Stop() })
	})
	return work, func() {
		stop()
		cancel()
	}
}

// Capabilities tells what the picture library can do. Formats are missing where it cannot be started.
func Capabilities() pipeline.Capabilities {
	c, err := pipeline.FindCapabilities()
	if err != nil {
		c.Version += " (" + err.Error() + ")"
	}
	return c
}

// Package app joins the parts of the image manager. It is what main runs, and what `calotype up` and the tests run too.
package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go-micro.dev/v4/server"

	"calotype/kit/boot"
	"calotype/kit/live"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/app/queue"
	"calotype/services/image/internal/blobclient"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/rpc"
	"calotype/services/image/internal/webhook"
)

// App is the image manager in a process. There is one in a host.
type App struct {
	store   store
	queue   queue.Queue
	sender  *webhook.Sender
	service *boot.Service
}

// New opens the store, the queue and the listener. The store and the queue are closed when Run ends.
func New(cfg Config, host *boot.Host) (_ *App, err error) {
	var undo []func() error
	defer func() {
		if err != nil {
			for _, f := range undo {
				err = errors.Join(err, f())
			}
		}
	}()
	presets, err := cfg.Image.Presets.Compile()
	if err != nil {
		return nil, err
	}
	store, err := openStore(context.Background(), cfg.Image)
	if err != nil {
		return nil, err
	}
	undo = append(undo, store.Close)
	q, err := queue.Open(cfg.Queue, host.Log)
	if err != nil {
		return nil, err
	}
	undo = append(undo, q.Close)
	parts := manager.Parts{
		Store: store, Queue: q, Inspector: rpc.NewInspector(host.Client()), Blobs: blobclient.New(host.Client()), Presets: presets,
		Tracer: host.Tracer, Log: host.Log, Elector: host.Elector(proto.Image),
	}
	sender, err := webhook.New(cfg.Image.Webhooks.Config, host.Version, time.Now)
	if err != nil {
		return nil, err
	}
	undo = append(undo, func() error { sender.Close(); return nil })
	webhooks := manager.NewWebhooks(cfg.Image.Webhooks.WebhookConfig, manager.WebhookParts{Store: store, Sender: sender, Log: host.Log, Metrics: host.Metrics})
	// Whoever ends a job writes its notice, even one that could send none itself.
	parts.Letter, parts.CheckURL, parts.Notice = rpc.Letter, sender.CheckURL, webhooks.Wake
	m := manager.New(cfg.Image.Config, parts)
	live.Take(host.Live, cfg, func(now Config) (func(), error) {
		presets, err := now.Image.Presets.Compile()
		return func() { m.Change(presets, now.Image.Backlog) }, err
	})
	jobs, batches := rpc.NewJobs(m.Jobs), rpc.NewBatches(m.Batches)
	service, err := host.NewService(proto.Image, cfg.Service(), func(s server.Server) error {
		return errors.Join(
			imagev1.RegisterImagesHandler(s, rpc.NewImages(m.Images)),
			imagev1.RegisterJobsHandler(s, jobs),
			imagev1.RegisterBatchesHandler(s, batches),
			imagev1.RegisterWebhooksHandler(s, rpc.NewWebhooks(webhooks)),
		)
	})
	if err != nil {
		return nil, err
	}
	jobs.Draining, batches.Draining = service.Draining(), service.Draining()
	service.Go("following", func(context.Context) error { return host.Client().Follow(proto.Worker) })
	service.Go("relay", m.Relay.Run)
	service.Go("reports", m.Reports.Run)
	service.Go("dead letters", m.DeadLetters.Run)
	service.Go("upkeep", m.Upkeep.Run)
	if sender.On() {
		service.Go("webhooks", func(ctx context.Context) error { return webhooks.Run(ctx, boot.Work(ctx)) })
	}
	host.Metrics.MustRegister(m.Counts, &manager.Metrics{Store: store, Queue: q, Timeout: 3 * time.Second, Backlog: m.Backlog})
	for _, part := range []any{store, q} {
		if c, ok := part.(prometheus.Collector); ok {
			host.Metrics.MustRegister(c)
		}
	}
	host.Health.Add("image-store", store.Ping)
	return &App{store: store, queue: q, sender: sender, service: service}, nil
}

// Addr is where the service listens.
func (a *App) Addr() string { return a.service.Addr() }

// Ready is closed once the service serves and can be found.
func (a *App) Ready() <-chan struct{} { return a.service.Ready() }

// Queue is the queue that the manager opened, for a worker in the same process, which then hears of tasks at once. It is closed when
// Run ends.
func (a *App) Queue() job.Queue { return a.queue }

// Run serves until ctx ends, then leaves in order.
func (a *App) Run(ctx context.Context) error {
	err := a.service.Run(ctx)
	a.sender.Close()
	if closed := errors.Join(a.queue.Close(), a.store.Close()); closed != nil {
		err = errors.Join(err, fmt.Errorf("closing the job store and the queue: %w", closed))
	}
	return err
}

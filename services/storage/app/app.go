// Package app joins the parts of the storage service. It is what main runs, and what `calotype up` and the tests run too.
package app

import (
	"context"
	"errors"
	"fmt"

	"go-micro.dev/v4/server"

	"calotype/kit/boot"
	"calotype/proto"
	storagev1 "calotype/proto/storage/v1"
	"calotype/services/storage/internal/rpc"
)

// App is the storage service in a process. There is one in a host.
type App struct {
	store   store
	service *boot.Service
}

// New opens the store and the listener. The store is closed when Run ends.
func New(cfg Config, host *boot.Host) (*App, error) {
	store, err := openStore(cfg.Storage, host)
	if err != nil {
		return nil, err
	}
	metrics := rpc.NewMetrics(host.Metrics)
	service, err := host.NewService(proto.Storage, cfg.Service(), func(s server.Server) error {
		return storagev1.RegisterStorageHandler(s, rpc.New(store, cfg.Storage.Limits, metrics))
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &App{store: store, service: service}, nil
}

// Addr is where the service listens.
func (a *App) Addr() string { return a.service.Addr() }

// Ready is closed once the service serves and can be found.
func (a *App) Ready() <-chan struct{} { return a.service.Ready() }

// Run serves until ctx ends, then leaves in order.
func (a *App) Run(ctx context.Context) error {
	err := a.service.Run(ctx)
	if closed := a.store.Close(); closed != nil {
		err = errors.Join(err, fmt.Errorf("closing the store: %w", closed))
	}
	return err
}

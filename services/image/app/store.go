package app

import (
	"context"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/postgres"
	"calotype/services/image/internal/sqlite"
)

// The kinds of store.
const (
	SQLite   = "sqlite"   // a file, for one machine
	Postgres = "postgres" // a database that several managers share
)

// store is an open store.
type store interface {
	job.Store
	Close() error
}

// openStore opens the store that the configuration names.
func openStore(ctx context.Context, cfg ImageConfig) (store, error) {
	if cfg.Store == Postgres {
		return postgres.Open(ctx, cfg.Postgres)
	}
	return sqlite.Open(ctx, cfg.Database)
}

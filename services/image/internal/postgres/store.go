// Package postgres keeps images and jobs in a PostgreSQL database that several managers share. It knows nothing of queues, use cases
// or the wire; it is one implementation of job.Store.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

//go:embed migrations/*.sql
var migrations embed.FS

const mostAccepted = 4096 // jobs that are remembered

// Store is a job.Store in a database. Commits and updates that wait at the same time share transactions.
type Store struct {
	db      *pool
	writers *pool         // of what the lanes do
	ping    time.Duration // how long a ping may take
	timeout time.Duration
	turns   *turns
	recipes recipe.Reader
	written *recipe.Writer
	commits *lanes[*commit]
	// accepted are the jobs that were accepted here last, until something happens to them: most change but once.
	accepted *lru.Cache[job.ID, job.Job]
	updates  *lanes[*update]
}

var _ job.Store = (*Store)(nil)

// Open connects to the database and brings its schema up to date; several managers may do so at once.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	conn, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the job store: %w", err)
	}
	if cfg.Password != "" {
		conn.Password = cfg.Password.Reveal()
	}
	conn.ConnectTimeout = cfg.ConnectTimeout
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "calotype"
	}
	n := min(max(1, cfg.MaxConnections/6), 4)
	writers := min(2*n+1, cfg.MaxConnections/2)
	s := &Store{
		db: openPool(conn, cfg.MaxConnections-writers, heldAtMostQuery), writers: openPool(conn, writers, heldAtMostQuery, anyValuesQuery),
		ping: min(cfg.Timeout, cfg.ConnectTimeout), timeout: cfg.Timeout, turns: newTurns(), written: recipe.NewWriter(),
	}
	if err := s.retried(ctx, "connecting", s.db.PingContext); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the job store: %w", err), s.closePools())
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bringing the job store's schema up to date: %w", err), s.closePools())
	}
	s.accepted, _ = lru.New[job.ID, job.Job](mostAccepted) // its only error is a size below 1
	s.commits = newLanes(n, func(c *commit) int { return 1 + len(c.Jobs) }, s.commitAll)
	s.updates = newLanes(n, func(*update) int { return 1 }, s.updateAll)
	s.updates.pace = pace
	return s, nil
}

// Close waits for the writes that are under way. No method may be called after it.
func (s *Store) Close() error {
	s.commits.close()
	s.updates.close()
	return s.closePools()
}

func (s *Store) closePools() error { return errors.Join(s.db.Close(), s.writers.Close()) }

const migrationLock = 0x63616c6f74797065 // "calotype"; the other locks are random numbers

// migrate runs the migrations while a transaction of its own holds a lock. (A lock of the session would not work through a pooler
// that gives each transaction another one.) It takes as long as it takes.
func (s *Store) migrate(ctx context.Context) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, s.db.DB, folder)
	if err != nil {
		return err
	}
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		_, err := p.Up(ctx)
		return err
	})
}

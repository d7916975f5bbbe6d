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

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"calotype/services/image/internal/job"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a job.Store in a database. Commits and updates that wait at the same time share transactions.
type Store struct {
	db      *sql.DB
	idle    int           // connections that are kept
	ping    time.Duration // how long a ping may take
	timeout time.Duration
	turns   *turns
	commits *lanes[*commit]
	updates *lanes[*update]
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
	db := stdlib.OpenDB(*conn, stdlib.OptionAfterConnect(prepareSession))
	db.SetMaxOpenConns(cfg.MaxConnections)
	db.SetMaxIdleConns(cfg.MaxConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour) // so that they spread again after a server was away
	s := &Store{db: db, idle: cfg.MaxConnections, ping: min(cfg.Timeout, cfg.ConnectTimeout), timeout: cfg.Timeout, turns: newTurns()}
	if err := s.retried(ctx, "connecting", db.PingContext); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the job store: %w", err), db.Close())
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bringing the job store's schema up to date: %w", err), db.Close())
	}
	// Few lanes have much to carry at once, which costs less than many that carry little; one that waits for a lock must not stop the
	// others. The other connections are for readers and relays.
	n := min(max(1, cfg.MaxConnections/6), 3)
	s.commits = startLanes(n, func(c *commit) int { return 1 + len(c.Jobs) }, s.commitAll)
	s.updates = startLanes(n, func(*update) int { return 1 }, s.updateAll)
	return s, nil
}

// Close waits for the writes that are under way. No method may be called after it.
func (s *Store) Close() error {
	s.commits.close()
	s.updates.close()
	return s.db.Close()
}

// heldAtMost is how long a manager that stands still may keep others from the rows that it holds.
const heldAtMost = 30 * time.Second

func prepareSession(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", heldAtMost.Milliseconds()))
	return err
}

const migrationLock = 0x63616c6f74797065 // "calotype"; the other locks are random numbers

// migrate runs the migrations while a transaction of its own holds a lock. (A lock of the session would not work through a pooler
// that gives each transaction another one.) It takes as long as it takes.
func (s *Store) migrate(ctx context.Context) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, s.db, folder)
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

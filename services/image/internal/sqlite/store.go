// Package sqlite keeps images and jobs in one SQLite file: the store for one machine. It knows nothing of queues, use cases or the
// wire; it is one implementation of job.Store.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"calotype/services/image/internal/job"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is a job.Store in a file. Writes go through one connection and share commits; reads have connections of their own, which
// never wait for a writer.
type Store struct {
	reads *sql.DB
	write *writer
}

var _ job.Store = (*Store)(nil)

// Open opens the file, making it and its folder where they are missing, and brings its schema up to date.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of the job store: %w", err)
	}
	// A commit must survive the machine's death, not only the process's: synchronous is FULL.
	writes, err := connect(path, "synchronous(FULL)", "journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	writes.SetMaxOpenConns(1)
	if err := migrate(ctx, writes); err != nil {
		return nil, errors.Join(fmt.Errorf("bringing %s up to date: %w", path, err), writes.Close())
	}
	reads, err := connect(path, "query_only(1)")
	if err != nil {
		return nil, errors.Join(err, writes.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers)
	return &Store{reads: reads, write: startWriter(writes)}, nil
}

// Close waits for the writes that are under way. No method may be called after it.
func (s *Store) Close() error {
	return errors.Join(s.reads.Close(), s.write.close())
}

func connect(path string, pragmas ...string) (*sql.DB, error) {
	query := url.Values{
		"_txlock": {"immediate"},
		// Another process on the same file is waited for, not failed on.
		"_pragma": append([]string{"busy_timeout(10000)", "foreign_keys(1)"}, pragmas...),
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return db, nil
}

// migrate runs the migrations. Several processes may open one new file at once: the losers of that race see its tables appear under
// their hands, and look again.
func migrate(ctx context.Context, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		p, err := goose.NewProvider(goose.DialectSQLite3, db, folder)
		if err != nil {
			return err
		}
		if _, err = p.Up(ctx); err == nil || attempt == 5 || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond << attempt):
		}
	}
}

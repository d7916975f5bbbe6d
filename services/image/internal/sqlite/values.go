package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// querier is what reading needs of a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

type scanner interface{ Scan(into ...any) error }

// classify turns what the driver says into what a port says. A fault passes through, and so do the context's errors.
func classify(err error, doing string) error {
	if err == nil || fault.As(err) != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return fault.Wrap(err, fault.Unavailable, "STORE_UNAVAILABLE", "the job store does not answer (%s)", doing)
		case sqlite3.SQLITE_INTERRUPT: // the driver's word for a context that ended
			return context.Canceled
		}
	}
	return fault.Wrap(err, fault.Internal, "STORE_FAILED", "the job store failed (%s)", doing)
}

// brokenReference reports whether err says that a row names another which is not there.
func brokenReference(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func when(us int64) time.Time { return time.UnixMicro(us).UTC() }

// nullMicros keeps the zero time as NULL.
func nullMicros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func nullWhen(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return when(us.Int64)
}

func failureText(f *job.Failure) sql.NullString {
	if f == nil {
		return sql.NullString{}
	}
	b, _ := json.Marshal(f) // strings only
	return sql.NullString{String: string(b), Valid: true}
}

func readFailure(s sql.NullString) (*job.Failure, error) {
	if !s.Valid {
		return nil, nil
	}
	f := new(job.Failure)
	if err := json.Unmarshal([]byte(s.String), f); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "STORE_CORRUPT", "a kept failure cannot be read")
	}
	return f, nil
}

// scan reads a row of one column.
func scan[T any](row scanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// all reads every row.
func all[T any](rows *sql.Rows, err error, read func(scanner) (T, error)) (found []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		one, err := read(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"calotype/kit/fault"
)

// classify turns what the driver says into what a port says. A fault passes through, and so do the errors of the caller's context.
func classify(ctx context.Context, err error, doing string) error {
	switch {
	case err == nil || fault.As(err) != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case away(err) || conflicted(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		f := fault.New(fault.Unavailable, "STORE_UNAVAILABLE", "the job store does not answer (%s)", doing)
		f.Err, f.RetryAfter = err, comeAgain
		return f
	}
	return fault.Wrap(err, fault.Internal, "STORE_FAILED", "the job store failed (%s)", doing)
}

// comeAgain is when callers may ask again. It has them told at once, and not only after each manager was asked some times.
const comeAgain = time.Second

const notNull = "23502" // see statement.run

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// conflicted reports whether a transaction was undone for another's sake, and may go through at the next try.
func conflicted(err error) bool {
	switch code(err) {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock not available
		return true
	}
	return false
}

// away reports whether the server cannot be reached or cannot serve now: it is being restarted, is a standby, or lacks connections,
// memory or disk.
func away(err error) bool {
	if c := code(err); c != "" {
		switch c[:2] {
		case "08", "53", "57", "58": // connection, resources, an operator, the system
			return true
		}
		return c == "25006" || c == "25P03" // read only, held a transaction too long
	}
	var (
		network net.Error
		connect *pgconn.ConnectError
	)
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// brokenReference reports whether a row names another which is not there.
func brokenReference(err error) bool { return code(err) == "23503" }

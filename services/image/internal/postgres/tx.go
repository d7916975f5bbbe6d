package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"calotype/kit/fault"
)

const (
	firstPause = 10 * time.Millisecond
	maxPause   = 500 * time.Millisecond
	// patience is how long a server that is away is waited for: long enough for one that is restarted, and not so long that callers
	// pile up.
	patience = 3 * time.Second
)

// retried does something that may be done again: it tries again what was undone for another transaction's sake, and waits a little for
// a server that is away. It takes no longer than the store's timeout, and returns an error that the ports know.
func (s *Store) retried(ctx context.Context, doing string, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := do(bounded)
		if err == nil {
			return nil
		}
		again := conflicted(err) || away(err) && time.Since(began) < patience
		s.suspect(err)
		if fault.As(err) != nil || !again {
			return classify(ctx, err, doing)
		}
		select {
		case <-bounded.Done():
			return classify(ctx, err, doing)
		case <-time.After(pause/2 + mathrand.N(pause)): //nolint:gosec // how long to wait is no secret
		}
	}
}

// suspect drops the connections that wait for work when one of them turned out to be lost: after a restart of the server all are, and
// each would fail somebody.
func (s *Store) suspect(err error) {
	var fresh *pgconn.ConnectError
	if !away(err) || errors.As(err, &fresh) {
		return
	}
	s.db.drop()
	s.writers.drop()
}

// read does what changes nothing.
func (s *Store) read(ctx context.Context, doing string, do func(context.Context) error) error {
	return s.retried(ctx, doing, do)
}

// inTx does something in a transaction, and undoes it when it fails.
func (s *Store) inTx(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	// Each statement sees what was committed before it: whoever waited for a lock must see what its holder did.
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if err := do(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// once does something in a transaction that must not be done a second time when it took place. do keeps the token in the same
// transaction, or returns false when there is nothing to commit.
func (s *Store) once(ctx context.Context, doing string, do func(ctx context.Context, tx *sql.Tx, token string) (bool, error)) error {
	return s.retried(ctx, doing, func(ctx context.Context) error {
		token := rand.Text()
		tx, err := s.writers.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		changed, err := do(ctx, tx, token)
		if err != nil || !changed {
			return err
		}
		if err = tx.Commit(); err == nil || code(err) != "" && !away(err) {
			return err // the server said what came of it; one that is going away may say so after the commit, too
		}
		return s.outcome(ctx, token, err)
	})
}

// atOnce does something that is a transaction by itself, of one round trip, and must not be done a second time when it took place. do
// keeps the token in it.
func (s *Store) atOnce(ctx context.Context, doing string, do func(ctx context.Context, token string) error) error {
	return s.retried(ctx, doing, func(ctx context.Context) error {
		token := rand.Text()
		err := do(ctx, token)
		if err == nil || fault.As(err) != nil || code(err) != "" && !away(err) {
			return err
		}
		return s.outcome(ctx, token, err)
	})
}

const tokenQuery = "INSERT INTO outcomes (token) VALUES ($1) ON CONFLICT DO NOTHING"

// outcome finds out what came of a commit whose answer was lost: nil when it took place, the error when it did not, and a fault, which
// is not tried again, when that cannot be known in time. It takes the token for itself: that waits for a transaction that is still on
// its way, and if it succeeds, the transaction can take place no more. (The server's own pg_xact_status is no help after a crash, which
// may give the number of what was lost to another transaction.)
func (s *Store) outcome(ctx context.Context, token string, lost error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout) // its own time: the commit may have used up the rest
	defer cancel()
	s.suspect(lost)
	mayBeOwn := false // whether an earlier try may have kept the token
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		r, err := s.db.ExecContext(ctx, tokenQuery, token)
		if err == nil {
			taken, err := r.RowsAffected()
			switch {
			case err == nil && taken == 1:
				return lost
			case err == nil && !mayBeOwn:
				return nil
			}
			return unknown(errors.Join(lost, err))
		}
		var connect *pgconn.ConnectError
		mayBeOwn = mayBeOwn || !errors.As(err, &connect)
		s.suspect(err)
		select {
		case <-ctx.Done():
			return unknown(errors.Join(lost, err))
		case <-time.After(pause):
		}
	}
}

func unknown(err error) error {
	return fault.Wrap(err, fault.Unavailable, "STORE_UNAVAILABLE", "the job store went away, and whether it kept the change is not known")
}

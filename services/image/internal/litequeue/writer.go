package litequeue

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"calotype/kit/fault"
)

// maxBatch bounds how many operations share a transaction.
const maxBatch = 256

// op is one change, made inside a transaction that it shares with others that came meanwhile: they wait for the disk once.
type op struct {
	run func(tx) error
	// durable operations are answered when they are on the disk. The others survive the process's death, and need not survive
	// the machine's: a message whose end is forgotten is delivered once more.
	durable bool
	done    chan error
}

// tx runs statements on the writer's connection. Its methods take no context: a transaction is short, and ends as a whole.
type tx struct{ conn *sql.Conn }

func (t tx) exec(query string, args ...any) (changed int64, err error) {
	r, err := t.conn.ExecContext(context.Background(), query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// do has the writer run a change. It gives up while the change has not begun; once begun, it waits for its end.
func (q *Queue) do(ctx context.Context, durable bool, run func(tx) error) error {
	o := &op{run: run, durable: durable, done: make(chan error, 1)}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-q.closing:
		return errClosed()
	case q.ops <- o:
	}
	select {
	case err := <-o.done:
		return err
	case <-q.stopped:
	}
	select {
	case err := <-o.done:
		return err
	default:
		return errClosed()
	}
}

// writer is the only one of the process who changes the file.
type writer struct {
	q    *Queue
	tx   tx
	full bool  // synchronous is FULL
	seen int64 // data_version: changes when another process has written
}

func newWriter(q *Queue, db *sql.DB) (*writer, error) {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the queue cannot be opened")
	}
	w := &writer{q: q, tx: tx{conn}, full: true}
	err = migrate(ctx, conn)
	if err == nil && q.cfg.Exclusive {
		_, err = w.tx.exec("UPDATE messages SET due = ? WHERE leased = 1 AND due > ?", millis(time.Now()), millis(time.Now()))
	}
	if err != nil {
		return nil, errors.Join(fault.Wrap(err, fault.Internal, "", "the queue cannot be read"), conn.Close())
	}
	return w, nil
}

// run works until Close.
func (w *writer) run() {
	defer close(w.q.stopped)
	var poll <-chan time.Time
	if !w.q.cfg.Exclusive {
		t := time.NewTicker(w.q.cfg.Poll)
		defer t.Stop()
		poll = t.C
	}
	batch := make([]*op, 0, maxBatch)
	for {
		select {
		case <-w.q.closing:
			w.end()
			return
		case o := <-w.q.ops:
			batch = w.gather(append(batch[:0], o))
			err := w.commit(batch)
			for _, o := range batch {
				o.done <- err
			}
		case <-poll:
			w.look()
		}
	}
}

// gather adds the operations that wait.
func (w *writer) gather(batch []*op) []*op {
	for len(batch) < maxBatch {
		select {
		case o := <-w.q.ops:
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

func (w *writer) commit(batch []*op) error {
	err := w.transact(batch)
	if err != nil {
		_, _ = w.tx.exec("ROLLBACK") // fails where none was begun
	}
	return fault.Wrap(err, fault.Unavailable, "QUEUE_UNAVAILABLE", "the queue cannot be written")
}

func (w *writer) transact(batch []*op) error {
	durable := false
	for _, o := range batch {
		durable = durable || o.durable
	}
	if durable != w.full {
		mode := "PRAGMA synchronous = NORMAL"
		if durable {
			mode = "PRAGMA synchronous = FULL"
		}
		if _, err := w.tx.exec(mode); err != nil {
			return err
		}
		w.full = durable
	}
	if _, err := w.tx.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, o := range batch {
		if err := o.run(w.tx); err != nil {
			return err
		}
	}
	_, err := w.tx.exec("COMMIT")
	return err
}

// look wakes all consumers when another process has changed the file.
func (w *writer) look() {
	if len(w.q.all()) == 0 {
		return
	}
	var v int64
	err := w.tx.conn.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&v)
	if err == nil && v != w.seen {
		w.seen = v
		w.q.wake("")
	}
}

// end gives the process's messages back and leaves the connection.
func (w *writer) end() {
	if !w.q.abandon {
		err := w.commit([]*op{{run: func(t tx) error {
			for _, l := range w.q.leases() {
				if err := l.again(t, 0); err != nil {
					return err
				}
			}
			return nil
		}}})
		if err != nil {
			w.q.log.Warn("messages of a closed queue wait until their leases end", "error", err)
		}
	}
	_ = w.tx.conn.Close() // back to the pool, which Close closes
}

func millis(t time.Time) int64 { return t.UnixMilli() }

package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"calotype/kit/fault"
)

// maxBatch bounds how many writes share a commit, and so how long the first of them waits for the others.
const maxBatch = 64

// writer is the one that writes. A commit costs a sync of the disk, so the writes that wait at the same time share one: each stands in
// its own savepoint and fails alone.
type writer struct {
	db      *sql.DB
	queue   chan *write
	stop    chan struct{}
	stopped chan struct{}
}

type write struct {
	ctx  context.Context
	do   func(context.Context, *sql.Tx) error
	done chan error
}

func startWriter(db *sql.DB) *writer {
	w := &writer{db: db, queue: make(chan *write), stop: make(chan struct{}), stopped: make(chan struct{})}
	go w.run()
	return w
}

// tx runs do in a transaction and returns after the commit. do runs on the writer's goroutine and is over when tx returns.
func (w *writer) tx(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	one := &write{ctx: ctx, do: do, done: make(chan error, 1)}
	select {
	case w.queue <- one:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stopped:
		return fault.New(fault.Unavailable, "STORE_CLOSED", "the job store is closed")
	}
	return <-one.done
}

func (w *writer) close() error {
	close(w.stop)
	<-w.stopped
	return w.db.Close()
}

func (w *writer) run() {
	defer close(w.stopped)
	for {
		select {
		case one := <-w.queue:
			w.commit(w.gather(one))
		case <-w.stop:
			return
		}
	}
}

// gather takes what waits already; it never waits itself.
func (w *writer) gather(first *write) []*write {
	batch := []*write{first}
	for len(batch) < maxBatch {
		select {
		case one := <-w.queue:
			batch = append(batch, one)
		default:
			return batch
		}
	}
	return batch
}

func (w *writer) commit(batch []*write) {
	errs := make([]error, len(batch))
	if err := w.attempt(batch, errs); err != nil {
		for i := range errs {
			errs[i] = classify(err, "writing")
		}
	}
	for i, one := range batch {
		one.done <- errs[i]
	}
}

// attempt fills errs with what each write came to, or returns the error that undid them all.
func (w *writer) attempt(batch []*write, errs []error) error {
	// The callers' contexts are many; one that ends must not undo the others' work, so the transaction has none of them.
	ctx := context.Background()
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for i, one := range batch {
		if errs[i] = one.ctx.Err(); errs[i] != nil {
			continue
		}
		if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
			return err
		}
		if errs[i] = guarded(ctx, tx, one.do); errs[i] != nil {
			if _, err := tx.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "RELEASE one"); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// guarded keeps one write's panic from ending the process, and with it all the others.
func guarded(ctx context.Context, tx *sql.Tx, do func(context.Context, *sql.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Wrap(fmt.Errorf("panic: %v", p), fault.Internal, "", "a defect in the job store")
		}
	}()
	return do(ctx, tx)
}

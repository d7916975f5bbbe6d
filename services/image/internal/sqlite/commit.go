package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Commit implements job.Register.
func (s *Store) Commit(ctx context.Context, c job.Commit) (job.Receipt, error) {
	inForce := c.Receipt
	err := s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		earlier, err := receipt(ctx, tx, c.Receipt.Key, c.Receipt.Created)
		switch {
		case err == nil && earlier.Payload != c.Receipt.Payload:
			return job.KeyReused()
		case err == nil:
			inForce = earlier
			return nil
		case !fault.Is(err, fault.NotFound):
			return err
		}
		return insert(ctx, tx, c)
	})
	if err != nil {
		return job.Receipt{}, err
	}
	return inForce, nil
}

// Receipt implements job.Register.
func (s *Store) Receipt(ctx context.Context, key string, now time.Time) (job.Receipt, error) {
	return receipt(ctx, s.reads, key, now)
}

func receipt(ctx context.Context, q querier, key string, now time.Time) (job.Receipt, error) {
	r := job.Receipt{Key: key}
	none := fault.New(fault.NotFound, "", "the idempotency key was not used before")
	if key == "" {
		return job.Receipt{}, none
	}
	var created, expires int64
	err := q.QueryRowContext(ctx, "SELECT payload, image_id, job_id, created, expires FROM receipts WHERE key = ? AND expires > ?", key, micros(now)).
		Scan(&r.Payload, &r.Image, &r.Job, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return job.Receipt{}, none
	}
	r.Created, r.Expires = when(created), when(expires)
	return r, classify(err, "looking for the idempotency key")
}

func insert(ctx context.Context, tx *sql.Tx, c job.Commit) error {
	if c.Image != nil {
		if err := insertImage(ctx, tx, *c.Image); err != nil {
			return err
		}
	}
	if c.Job != nil {
		if err := insertJob(ctx, tx, *c.Job); err != nil {
			return err
		}
		if err := keep(ctx, tx, c.Job.ID, c.Events, c.Outbox); err != nil {
			return err
		}
	}
	r := c.Receipt
	if r.Key == "" {
		return nil
	}
	// What stands under the key now, if anything, has expired.
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO receipts (key, payload, image_id, job_id, created, expires) VALUES (?, ?, ?, ?, ?, ?)",
		r.Key, r.Payload, r.Image, r.Job, micros(r.Created), micros(r.Expires))
	return classify(err, "keeping the idempotency key")
}

// keep adds a job's events and messages.
func keep(ctx context.Context, tx *sql.Tx, id job.ID, events []job.Event, outbox []job.Outgoing) error {
	for _, e := range events {
		_, err := tx.ExecContext(ctx, "INSERT INTO events (job_id, sequence, time, state, attempt, node, failure) VALUES (?, ?, ?, ?, ?, ?, ?)",
			id, e.Sequence, micros(e.Time), e.State, e.Attempt, e.Node, failureText(e.Failure))
		if err != nil {
			return classify(err, "keeping an event")
		}
	}
	for _, m := range outbox {
		headers, err := json.Marshal(m.Headers)
		if err != nil {
			return fault.Wrap(err, fault.Internal, "", "a message's headers cannot be kept")
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO outbox (job_id, topic, message_id, headers, body, created) VALUES (?, ?, ?, ?, ?, ?)",
			id, m.Topic, m.ID, string(headers), m.Body, micros(time.Now()))
		if err != nil {
			return classify(err, "keeping a message")
		}
	}
	return nil
}

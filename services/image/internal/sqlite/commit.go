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
		inForce, err = insert(ctx, tx, c)
		return err
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
	var image sql.NullString
	err := q.QueryRowContext(ctx, "SELECT payload, image_id, job_id, batch_id, created, expires FROM receipts WHERE key = ? AND expires > ?", key, micros(now)).
		Scan(&r.Payload, &image, &r.Job, &r.Batch, &created, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return job.Receipt{}, none
	}
	r.Image, r.Created, r.Expires = job.ImageID(image.String), when(created), when(expires)
	return r, classify(err, "looking for the idempotency key")
}

func insert(ctx context.Context, tx *sql.Tx, c job.Commit) (job.Receipt, error) {
	r := c.Receipt
	if len(c.Jobs) == 1 && c.Jobs[0].Job.Unique {
		same, image, err := inFlight(ctx, tx, c.Jobs[0].Job)
		if err != nil {
			return r, err
		}
		if same != "" {
			r.Job, r.Image = same, image
			return r, insertReceipt(ctx, tx, r)
		}
	}
	if c.Image != nil {
		if err := insertImage(ctx, tx, *c.Image); err != nil {
			return r, err
		}
	}
	if c.Batch != nil {
		if err := insertBatch(ctx, tx, *c.Batch); err != nil {
			return r, err
		}
	}
	for _, j := range c.Jobs {
		if err := insertJob(ctx, tx, j.Job); err != nil {
			return r, err
		}
		if err := keep(ctx, tx, j.Job.ID, j); err != nil {
			return r, err
		}
	}
	return r, insertReceipt(ctx, tx, r)
}

func insertReceipt(ctx context.Context, tx *sql.Tx, r job.Receipt) error {
	if r.Key == "" {
		return nil
	}
	// What stands under the key now, if anything, has expired.
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO receipts (key, payload, image_id, job_id, batch_id, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
		r.Key, r.Payload, sql.NullString{String: string(r.Image), Valid: r.Image != ""}, r.Job, r.Batch, micros(r.Created), micros(r.Expires))
	return classify(err, "keeping the idempotency key")
}

const inFlightQuery = "SELECT id, image_id FROM jobs WHERE original = ? AND recipe = ? AND state IN ('scheduled', 'queued', 'running') ORDER BY id LIMIT 1"

// inFlight finds a job that has not ended and does the same to the same original, and its image; "" when there is none.
func inFlight(ctx context.Context, tx *sql.Tx, j job.Job) (id job.ID, image job.ImageID, _ error) {
	text, err := json.Marshal(j.Recipe)
	if err != nil {
		return "", "", fault.Wrap(err, fault.Internal, "", "the recipe cannot be compared")
	}
	err = tx.QueryRowContext(ctx, inFlightQuery, j.Original, string(text)).Scan(&id, &image)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", nil
	}
	return id, image, classify(err, "looking for the same job")
}

// keep adds what a change of a job brings.
func keep(ctx context.Context, tx *sql.Tx, id job.ID, c job.Change) error {
	for _, e := range c.Events {
		_, err := tx.ExecContext(ctx, "INSERT INTO events (job_id, sequence, time, state, attempt, node, failure, phase, percent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			id, e.Sequence, micros(e.Time), e.State, e.Attempt, e.Node, failureText(e.Failure), e.Progress.Phase, e.Progress.Percent)
		if err != nil {
			return classify(err, "keeping an event")
		}
	}
	for _, m := range c.Outbox {
		if err := post(ctx, tx, id, m); err != nil {
			return err
		}
	}
	for _, w := range c.Webhooks {
		if err := insertWebhook(ctx, tx, w); err != nil {
			return err
		}
	}
	return nil
}

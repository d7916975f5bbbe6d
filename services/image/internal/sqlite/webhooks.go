package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const webhookColumns = "id, job_id, url, body, state, attempts, due, answer, created, ended"

func scanWebhook(row scanner) (w job.Webhook, err error) {
	var due, created int64
	var ended sql.NullInt64
	err = row.Scan(&w.ID, &w.Job, &w.URL, &w.Body, &w.State, &w.Attempts, &due, &w.Answer, &created, &ended)
	w.Due, w.Created, w.Ended = when(due), when(created), nullWhen(ended)
	return w, err
}

func insertWebhook(ctx context.Context, tx *sql.Tx, w job.Webhook) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO webhooks ("+webhookColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		w.ID, w.Job, w.URL, w.Body, w.State, w.Attempts, micros(w.Due), w.Answer, micros(w.Created), nullMicros(w.Ended))
	return classify(err, "keeping a notice")
}

// Claim implements job.Webhooks.
func (s *Store) Claim(ctx context.Context, now, until time.Time, limit int) (claimed []job.Webhook, err error) {
	var n int // most looks find nothing, and need no turn at writing
	err = s.reads.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM webhooks WHERE state = 'pending' AND due <= ? LIMIT 1)", micros(now)).Scan(&n)
	if err != nil || n == 0 {
		return nil, classify(err, "looking for notices")
	}
	err = s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `UPDATE webhooks SET due = ? WHERE id IN
			(SELECT id FROM webhooks WHERE state = 'pending' AND due <= ? ORDER BY due LIMIT ?) RETURNING `+webhookColumns, micros(until), micros(now), limit)
		claimed, err = all(rows, err, scanWebhook)
		return classify(err, "taking notices")
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// Settle implements job.Webhooks.
func (s *Store) Settle(ctx context.Context, id job.WebhookID, attempts int, o job.WebhookOutcome) error {
	var ended time.Time
	if o.State != job.WebhookPending {
		ended = o.Time
	}
	return s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE webhooks SET state = ?, attempts = attempts + 1, due = ?, answer = ?, ended = ? WHERE id = ? AND state = 'pending' AND attempts = ?",
			o.State, micros(o.Due), o.Answer, nullMicros(ended), id, attempts)
		return classify(err, "noting what came of a notice")
	})
}

// Webhooks implements job.Webhooks.
func (s *Store) Webhooks(ctx context.Context, f job.WebhookFilter, after job.WebhookID, limit int) ([]job.Webhook, error) {
	rows, err := s.reads.QueryContext(ctx, "SELECT "+webhookColumns+` FROM webhooks WHERE (?1 = '' OR job_id = ?1) AND (?2 = '' OR state = ?2)
		AND (?3 = '' OR id < ?3) ORDER BY id DESC LIMIT ?4`, f.Job, f.State, after, limit)
	found, err := all(rows, err, scanWebhook)
	return found, classify(err, "listing notices")
}

// Replay implements job.Webhooks.
func (s *Store) Replay(ctx context.Context, id job.WebhookID, now time.Time) (w job.Webhook, err error) {
	err = s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		w, err = scanWebhook(tx.QueryRowContext(ctx, "UPDATE webhooks SET state = 'pending', attempts = 0, due = ?, ended = NULL WHERE id = ? RETURNING "+webhookColumns,
			micros(now), id))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "WEBHOOK_NOT_FOUND", "there is no notice %q", id)
		}
		return classify(err, "sending a notice again")
	})
	return w, err
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const (
	webhookColumns = "id, job_id, url, body, state, attempts, due, answer, created, ended"
	claimQuery     = "SELECT " + webhookColumns + " FROM webhooks INDEXED BY webhooks_due WHERE state = 'pending' AND due <= ? ORDER BY due LIMIT ?"
)

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
	err = s.reads.QueryRowContext(ctx, "SELECT count(*) FROM ("+claimQuery+")", micros(now), 1).Scan(&n)
	if err != nil || n == 0 {
		return nil, classify(err, "looking for notices")
	}
	err = s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, claimQuery, micros(now), limit)
		if claimed, err = all(rows, err, scanWebhook); err != nil {
			return classify(err, "looking for notices")
		}
		for i := range claimed {
			claimed[i].Due = when(micros(until))
			if _, err := tx.ExecContext(ctx, "UPDATE webhooks SET due = ? WHERE id = ?", micros(until), claimed[i].ID); err != nil {
				return classify(err, "taking notices")
			}
		}
		return nil
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
		_, err := tx.ExecContext(ctx, "UPDATE webhooks SET state = ?1, attempts = attempts + iif(?2, 0, 1), due = ?3, answer = iif(?2, answer, ?4), ended = ?5 WHERE id = ?6 AND state = 'pending' AND attempts = ?7",
			o.State, o.Unsent, micros(o.Due), o.Answer, nullMicros(ended), id, attempts)
		return classify(err, "noting what came of a notice")
	})
}

// Webhooks implements job.Webhooks.
func (s *Store) Webhooks(ctx context.Context, f job.WebhookFilter, after job.WebhookID, limit int) ([]job.Webhook, error) {
	where, args := []string{"true"}, []any{} // an index is of use to conditions that are there, not to such as may hold for all
	if f.Job != "" {
		where, args = append(where, "job_id = ?"), append(args, f.Job)
	}
	if f.State != "" {
		where, args = append(where, "state = ?"), append(args, f.State)
	}
	if after != "" {
		where, args = append(where, "id < ?"), append(args, after)
	}
	rows, err := s.reads.QueryContext(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE "+strings.Join(where, " AND ")+" ORDER BY id DESC LIMIT ?",
		append(args, limit)...)
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

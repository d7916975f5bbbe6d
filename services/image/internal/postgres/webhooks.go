package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const webhookColumns = "webhooks.id, job_id, url, body, state, attempts, webhooks.due, answer, created, ended"

func scanWebhook(row scanner) (job.Webhook, error) { return scanWebhookAnd(row) }

// scanWebhookAnd reads further columns behind those of a notice.
func scanWebhookAnd(row scanner, more ...any) (w job.Webhook, err error) {
	var ended sql.NullTime
	err = row.Scan(append([]any{&w.ID, &w.Job, &w.URL, &w.Body, &w.State, &w.Attempts, &w.Due, &w.Answer, &w.Created, &ended}, more...)...)
	w.Due, w.Created, w.Ended = w.Due.UTC(), w.Created.UTC(), when(ended)
	return w, err
}

const claimQuery = `WITH due AS MATERIALIZED (SELECT id, due FROM webhooks WHERE state = 'pending' AND due <= $1 ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED)
	UPDATE webhooks SET due = $3 FROM due WHERE webhooks.id = due.id RETURNING ` + webhookColumns + ", due.due"

// Claim implements job.Webhooks. Claims that were made, but whose answer was lost, run out like those of a manager that died.
func (s *Store) Claim(ctx context.Context, now, until time.Time, limit int) (claimed []job.Webhook, err error) {
	type due struct {
		job.Webhook
		since time.Time
	}
	err = s.retried(ctx, "taking notices", func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, claimQuery, now, limit, until)
		found, err := all(rows, err, func(row scanner) (d due, err error) {
			d.Webhook, err = scanWebhookAnd(row, &d.since)
			return d, err
		})
		slices.SortFunc(found, func(a, b due) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.ID, b.ID)) })
		claimed = nil
		for _, d := range found {
			claimed = append(claimed, d.Webhook)
		}
		return err
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
	return s.retried(ctx, "noting what came of a notice", func(ctx context.Context) error {
		_, err := s.db.ExecContext(ctx, `UPDATE webhooks SET state = $1, due = $2, ended = $3,
			attempts = attempts + CASE WHEN $4 THEN 0 ELSE 1 END, answer = CASE WHEN $4 THEN answer ELSE $5 END
			WHERE id = $6 AND state = 'pending' AND attempts = $7`,
			text(o.State), o.Due, maybe(ended), o.Unsent, text(o.Answer), text(id), attempts)
		return err
	})
}

// Webhooks implements job.Webhooks.
func (s *Store) Webhooks(ctx context.Context, f job.WebhookFilter, after job.WebhookID, limit int) (found []job.Webhook, err error) {
	where, args := []string{"true"}, []any{limit}
	and := func(condition, arg string) {
		if arg != "" {
			args = append(args, text(arg))
			where = append(where, fmt.Sprintf(condition, len(args)))
		}
	}
	and("job_id = $%d", string(f.Job))
	and("state = $%d", string(f.State))
	and("id < $%d", string(after))
	err = s.read(ctx, "listing notices", func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, "SELECT "+webhookColumns+" FROM webhooks WHERE "+strings.Join(where, " AND ")+" ORDER BY id DESC LIMIT $1", args...)
		found, err = all(rows, err, scanWebhook)
		return err
	})
	return found, err
}

// Replay implements job.Webhooks.
func (s *Store) Replay(ctx context.Context, id job.WebhookID, now time.Time) (w job.Webhook, err error) {
	err = s.retried(ctx, "sending a notice again", func(ctx context.Context) error {
		w, err = scanWebhook(s.db.QueryRowContext(ctx, "UPDATE webhooks SET state = 'pending', attempts = 0, due = $1, ended = NULL WHERE id = $2 RETURNING "+webhookColumns,
			now, text(id)))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "WEBHOOK_NOT_FOUND", "there is no notice %q", id)
		}
		return err
	})
	if err != nil {
		return job.Webhook{}, err
	}
	return w, nil
}

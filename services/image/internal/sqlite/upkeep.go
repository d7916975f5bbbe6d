package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

type outgoing struct {
	sequence int64
	job.Outgoing
}

// Relay implements job.Outbox. The messages are not kept from other relays: SQLite has no lock for that which would not also keep
// everybody else from writing while the queue is spoken to.
func (s *Store) Relay(ctx context.Context, limit int, publish func(context.Context, []job.Outgoing) error) (int, error) {
	rows, err := s.reads.QueryContext(ctx, "SELECT sequence, topic, message_id, headers, body FROM outbox ORDER BY sequence LIMIT ?", limit)
	waiting, err := all(rows, err, func(row scanner) (o outgoing, err error) {
		var headers string
		if err = row.Scan(&o.sequence, &o.Topic, &o.ID, &headers, &o.Body); err != nil {
			return o, err
		}
		err = json.Unmarshal([]byte(headers), &o.Headers)
		return o, fault.Wrap(err, fault.Internal, "STORE_CORRUPT", "the headers of message %s cannot be read", o.ID)
	})
	if err != nil || len(waiting) == 0 {
		return 0, classify(err, "reading the outbox")
	}
	messages := make([]job.Outgoing, len(waiting))
	gone := make([]any, len(waiting))
	for i, o := range waiting {
		messages[i], gone[i] = o.Outgoing, o.sequence
	}
	if err := publish(ctx, messages); err != nil {
		return 0, err
	}
	err = s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM outbox WHERE sequence IN (?"+strings.Repeat(", ?", len(gone)-1)+")", gone...)
		return classify(err, "marking messages as published")
	})
	return len(waiting), err
}

// Stale implements job.Upkeep.
func (s *Store) Stale(ctx context.Context, since time.Time, limit int) ([]job.ID, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT id FROM jobs WHERE state IN ('queued', 'running') AND updated < ?
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.job_id = jobs.id) ORDER BY updated LIMIT ?`, micros(since), limit)
	found, err := all(rows, err, scanID)
	return found, classify(err, "looking for stale jobs")
}

// Expire implements job.Upkeep.
func (s *Store) Expire(ctx context.Context, now time.Time) error {
	return s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM receipts WHERE expires <= ?", micros(now))
		return classify(err, "removing expired idempotency keys")
	})
}

// Ping implements job.Upkeep: it takes the writer's turn and changes nothing.
func (s *Store) Ping(ctx context.Context) error {
	return s.write.tx(ctx, func(context.Context, *sql.Tx) error { return classify(s.reads.PingContext(ctx), "reading") })
}

// Census implements job.Upkeep.
func (s *Store) Census(ctx context.Context) (job.Census, error) {
	c := job.Census{Jobs: map[job.State]int{job.Queued: 0, job.Running: 0, job.Succeeded: 0, job.Failed: 0, job.Cancelled: 0, job.Dead: 0}}
	rows, err := s.reads.QueryContext(ctx, "SELECT state, count(*) FROM jobs GROUP BY state")
	_, err = all(rows, err, func(row scanner) (struct{}, error) {
		var (
			state job.State
			n     int
		)
		err := row.Scan(&state, &n)
		c.Jobs[state] = n
		return struct{}{}, err
	})
	if err != nil {
		return job.Census{}, classify(err, "counting jobs")
	}
	var job0, message0 sql.NullInt64
	err = s.reads.QueryRowContext(ctx, `SELECT (SELECT min(created) FROM jobs WHERE state IN ('queued', 'running')),
		(SELECT count(*) FROM outbox), (SELECT min(created) FROM outbox)`).Scan(&job0, &c.Outbox, &message0)
	if err != nil {
		return job.Census{}, classify(err, "counting messages")
	}
	c.OldestUnfinished, c.OldestOutgoing = nullWhen(job0), nullWhen(message0)
	return c, nil
}

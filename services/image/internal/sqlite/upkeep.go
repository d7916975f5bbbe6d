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

// An index over some of the rows is chosen only by conditions that are written as its own. Where the planner may take another, whose
// order is not the one that is wanted, the index is named.
const (
	staleQuery = `SELECT id FROM jobs INDEXED BY jobs_unfinished WHERE state IN ('queued', 'running') AND updated < ?
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.job_id = jobs.id) ORDER BY updated LIMIT ?`
	dueQuery           = "SELECT id FROM jobs INDEXED BY jobs_scheduled WHERE state = 'scheduled' AND not_before <= ? ORDER BY not_before LIMIT ?"
	expiredImagesQuery = `SELECT id FROM images WHERE expires <= ?
		AND NOT EXISTS (SELECT 1 FROM jobs JOIN webhooks ON webhooks.job_id = jobs.id WHERE jobs.image_id = images.id AND webhooks.state = 'pending') ORDER BY expires LIMIT ?`
	expiredJobsQuery = `SELECT id FROM jobs WHERE expires <= ?
		AND NOT EXISTS (SELECT 1 FROM webhooks WHERE webhooks.job_id = jobs.id AND webhooks.state = 'pending') ORDER BY expires LIMIT ?`
	unreferencedQuery = `SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM images WHERE digest = value)
		AND NOT EXISTS (SELECT 1 FROM results WHERE digest = value)`
	expireReceipts = "DELETE FROM receipts WHERE expires <= ?"
	expireWebhooks = "DELETE FROM webhooks WHERE ended <= ?"
	expireBatches  = `DELETE FROM batches WHERE created <= ?
		AND NOT EXISTS (SELECT 1 FROM jobs WHERE batch_id <> '' AND batch_id = batches.id)`
	// Identifiers sort by the time they were made, so the oldest are found without looking at the others.
	oldestQuery = `SELECT (SELECT min(created) FROM (SELECT * FROM (SELECT created FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1)
			UNION ALL SELECT * FROM (SELECT created FROM jobs WHERE state = 'running' ORDER BY id LIMIT 1))),
		(SELECT count(*) FROM outbox), (SELECT created FROM outbox ORDER BY sequence LIMIT 1),
		(SELECT count(*) FROM webhooks WHERE state = 'pending'), (SELECT min(created) FROM webhooks WHERE state = 'pending')`
)

// Stale implements job.Upkeep.
func (s *Store) Stale(ctx context.Context, since time.Time, limit int) ([]job.ID, error) {
	rows, err := s.reads.QueryContext(ctx, staleQuery, micros(since), limit)
	found, err := all(rows, err, scan[job.ID])
	return found, classify(err, "looking for stale jobs")
}

// Expire implements job.Upkeep.
func (s *Store) Expire(ctx context.Context, now time.Time) error {
	return s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for remove, old := range map[string]time.Time{
			expireReceipts: now,
			expireWebhooks: now.Add(-job.KeepWebhooks),
			expireBatches:  now.Add(-job.KeepBatches),
		} {
			if _, err := tx.ExecContext(ctx, remove, micros(old)); err != nil {
				return classify(err, "removing what has expired")
			}
		}
		return nil
	})
}

// Due implements job.Upkeep.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]job.ID, error) {
	rows, err := s.reads.QueryContext(ctx, dueQuery, micros(now), limit)
	found, err := all(rows, err, scan[job.ID])
	return found, classify(err, "looking for scheduled jobs")
}

// Expired implements job.Upkeep.
func (s *Store) Expired(ctx context.Context, now time.Time, limit int) ([]job.ImageID, []job.ID, error) {
	rows, err := s.reads.QueryContext(ctx, expiredImagesQuery, micros(now), limit)
	images, err := all(rows, err, scan[job.ImageID])
	if err != nil {
		return nil, nil, classify(err, "looking for expired images")
	}
	rows, err = s.reads.QueryContext(ctx, expiredJobsQuery, micros(now), limit)
	jobs, err := all(rows, err, scan[job.ID])
	return images, jobs, classify(err, "looking for expired jobs")
}

// Unreferenced implements job.Upkeep.
func (s *Store) Unreferenced(ctx context.Context, digests []job.Digest) ([]job.Digest, error) {
	if len(digests) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(digests)
	if err != nil {
		return nil, err
	}
	rows, err := s.reads.QueryContext(ctx, unreferencedQuery, string(text))
	found, err := all(rows, err, scan[job.Digest])
	return found, classify(err, "looking for what refers to bytes")
}

// Lead implements job.Upkeep.
func (s *Store) Lead(ctx context.Context, duty string, fence int64) error {
	return s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO leaders (duty, fence) VALUES (?, ?)
			ON CONFLICT (duty) DO UPDATE SET fence = excluded.fence WHERE fence <= excluded.fence`, duty, fence)
		if err != nil {
			return classify(err, "noting the leader")
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fault.New(fault.Conflict, "FENCED", "somebody else leads %q now", duty), err)
		}
		return nil
	})
}

// Ping implements job.Upkeep: it takes the writer's turn and changes nothing.
func (s *Store) Ping(ctx context.Context) error {
	return s.write.tx(ctx, func(context.Context, *sql.Tx) error { return classify(s.reads.PingContext(ctx), "reading") })
}

// Census implements job.Upkeep.
func (s *Store) Census(ctx context.Context) (job.Census, error) {
	c := job.Census{Jobs: map[job.State]int{}}
	for _, state := range job.States() {
		c.Jobs[state] = 0
	}
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
	var job0, message0, webhook0 sql.NullInt64
	err = s.reads.QueryRowContext(ctx, oldestQuery).Scan(&job0, &c.Outbox, &message0, &c.Webhooks, &webhook0)
	if err != nil {
		return job.Census{}, classify(err, "counting messages")
	}
	c.OldestUnfinished, c.OldestOutgoing, c.OldestWebhook = nullWhen(job0), nullWhen(message0), nullWhen(webhook0)
	return c, nil
}

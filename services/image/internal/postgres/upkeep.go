package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Few jobs have not ended, so the stale ones among them need no index of their own, which each change would have to keep.
// An index over some of the rows is chosen only by conditions that say that the others are not wanted.
const (
	staleQuery = `SELECT id FROM jobs WHERE state IN ('queued', 'running') AND updated < $1
		AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.job_id = jobs.id) ORDER BY updated LIMIT $2`
	dueQuery           = "SELECT id FROM jobs WHERE state = 'scheduled' AND not_before <= $1 ORDER BY not_before LIMIT $2"
	expiredImagesQuery = `SELECT id FROM images WHERE expires <= $1
		AND 0 = (SELECT count(*) FROM jobs JOIN webhooks ON webhooks.job_id = jobs.id WHERE jobs.image_id = images.id AND webhooks.state = 'pending')
		ORDER BY expires LIMIT $2` // counted, so that it looks at the jobs of these images only, where NOT EXISTS would join all
	expiredJobsQuery = `SELECT id FROM jobs WHERE expires <= $1
		AND NOT EXISTS (SELECT 1 FROM webhooks WHERE webhooks.job_id = jobs.id AND webhooks.state = 'pending')
		ORDER BY expires LIMIT $2`
	unreferencedQuery = `SELECT digest FROM unnest($1::text[]) AS asked (digest) WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.digest = asked.digest)
		AND NOT EXISTS (SELECT 1 FROM results WHERE results.digest = asked.digest)`
	// Most have succeeded, and are not counted one by one.
	censusQuery = `WITH others AS MATERIALIZED (SELECT state, count(*) AS jobs FROM jobs WHERE state <> 'succeeded' GROUP BY state)
		SELECT state, jobs FROM others UNION ALL SELECT 'succeeded', (SELECT count(*) FROM jobs) - (SELECT coalesce(sum(jobs), 0) FROM others)::bigint`
	expireOutcomes = "DELETE FROM outcomes WHERE kept <= $1"
	expireReceipts = "DELETE FROM receipts WHERE expires <= $1"
	expireWebhooks = "DELETE FROM webhooks WHERE ended <= $1"
	expireBatches  = `DELETE FROM batches WHERE created <= $1
		AND NOT EXISTS (SELECT 1 FROM jobs WHERE batch_id <> '' AND batch_id = batches.id)`
	// Identifiers sort by the time they were made, so the oldest are found without looking at the others.
	oldestQuery = `SELECT least((SELECT created FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1),
			(SELECT created FROM jobs WHERE state = 'running' ORDER BY id LIMIT 1)),
		(SELECT count(*) FROM outbox), (SELECT min(created) FROM outbox),
		(SELECT count(*) FROM webhooks WHERE state = 'pending'), (SELECT min(created) FROM webhooks WHERE state = 'pending')`
)

// Stale implements job.Upkeep.
func (s *Store) Stale(ctx context.Context, since time.Time, limit int) ([]job.ID, error) {
	return list[job.ID](ctx, s, "looking for stale jobs", staleQuery, since, limit)
}

// Due implements job.Upkeep.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]job.ID, error) {
	return list[job.ID](ctx, s, "looking for scheduled jobs", dueQuery, now, limit)
}

// Expired implements job.Upkeep.
func (s *Store) Expired(ctx context.Context, now time.Time, limit int) ([]job.ImageID, []job.ID, error) {
	images, err := list[job.ImageID](ctx, s, "looking for expired images", expiredImagesQuery, now, limit)
	if err != nil {
		return nil, nil, err
	}
	jobs, err := list[job.ID](ctx, s, "looking for expired jobs", expiredJobsQuery, now, limit)
	return images, jobs, err
}

// Unreferenced implements job.Upkeep.
func (s *Store) Unreferenced(ctx context.Context, digests []job.Digest) ([]job.Digest, error) {
	return list[job.Digest](ctx, s, "looking for what refers to bytes", unreferencedQuery, texts(digests))
}

// list reads one column.
func list[T any](ctx context.Context, s *Store, doing, query string, args ...any) (found []T, err error) {
	err = s.read(ctx, doing, func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, query, args...)
		found, err = all(rows, err, scan[T])
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Expire implements job.Upkeep.
func (s *Store) Expire(ctx context.Context, now time.Time) error {
	for remove, old := range map[string]time.Time{
		expireOutcomes: time.Now().Add(-time.Hour), // nobody asks any more; the server's clock may differ
		expireReceipts: now,
		expireWebhooks: now.Add(-job.KeepWebhooks),
		expireBatches:  now.Add(-job.KeepBatches),
	} {
		err := s.retried(ctx, "removing what has expired", func(ctx context.Context) error {
			_, err := s.db.ExecContext(ctx, remove, old)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Lead implements job.Upkeep.
func (s *Store) Lead(ctx context.Context, duty string, fence int64) error {
	return s.retried(ctx, "noting the leader", func(ctx context.Context) error {
		r, err := s.db.ExecContext(ctx, `INSERT INTO leaders (duty, fence) VALUES ($1, $2)
			ON CONFLICT (duty) DO UPDATE SET fence = excluded.fence WHERE leaders.fence <= excluded.fence`, text(duty), fence)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fault.New(fault.Conflict, "FENCED", "somebody else leads %q now", duty), err)
		}
		return nil
	})
}

// Ping implements job.Upkeep. It does not wait for a server that is away: whoever asks wants to know about now.
func (s *Store) Ping(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, s.ping)
	defer cancel()
	var readOnly string
	ask := func() error {
		return s.db.QueryRowContext(bounded, "SELECT current_setting('transaction_read_only')").Scan(&readOnly)
	}
	err := ask()
	if err != nil && away(err) { // a connection from before a restart may be all that is wrong
		s.suspect(err)
		err = ask()
	}
	if err == nil && readOnly != "off" {
		return fault.New(fault.Unavailable, "STORE_UNAVAILABLE", "the job store takes no changes now: its server is a standby")
	}
	return classify(ctx, err, "answering")
}

// Census implements job.Upkeep.
func (s *Store) Census(ctx context.Context) (c job.Census, err error) {
	err = s.read(ctx, "counting", func(ctx context.Context) error {
		c = job.Census{Jobs: map[job.State]int{}}
		for _, state := range job.States() {
			c.Jobs[state] = 0
		}
		rows, err := s.db.QueryContext(ctx, censusQuery)
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
			return err
		}
		var job0, message0, webhook0 sql.NullTime
		err = s.db.QueryRowContext(ctx, oldestQuery).Scan(&job0, &c.Outbox, &message0, &c.Webhooks, &webhook0)
		c.OldestUnfinished, c.OldestOutgoing, c.OldestWebhook = when(job0), when(message0), when(webhook0)
		return err
	})
	if err != nil {
		return job.Census{}, err
	}
	return c, nil
}

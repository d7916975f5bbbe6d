package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const batchQuery = "SELECT state, count(*), sum(percent), max(updated) FROM jobs WHERE batch_id <> '' AND batch_id = ? GROUP BY state"

func insertBatch(ctx context.Context, tx *sql.Tx, b job.Batch) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO batches (id, tenant, total, created) VALUES (?, ?, ?, ?)", b.ID, b.Tenant, b.Total, micros(b.Created))
	return classify(err, "keeping the batch")
}

// Batch implements job.Batches.
func (s *Store) Batch(ctx context.Context, id job.BatchID) (job.Batch, error) {
	b := job.Batch{ID: id, Counts: map[job.State]int{}}
	var created int64
	err := s.reads.QueryRowContext(ctx, "SELECT tenant, total, created FROM batches WHERE id = ?", id).Scan(&b.Tenant, &b.Total, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return job.Batch{}, fault.New(fault.NotFound, "BATCH_NOT_FOUND", "there is no batch %q", id)
	}
	if err != nil {
		return job.Batch{}, classify(err, "reading the batch")
	}
	b.Created = when(created)
	b.Updated = b.Created
	jobs, done := 0, 0
	rows, err := s.reads.QueryContext(ctx, batchQuery, id)
	_, err = all(rows, err, func(row scanner) (none struct{}, _ error) {
		var (
			state      job.State
			n, percent int
			updated    int64
		)
		if err := row.Scan(&state, &n, &percent, &updated); err != nil {
			return none, err
		}
		if state.Ended() {
			percent = 100 * n
		}
		b.Counts[state], jobs, done = n, jobs+n, done+percent
		if t := when(updated); t.After(b.Updated) {
			b.Updated = t
		}
		return none, nil
	})
	b.Percent = 100
	if jobs > 0 {
		b.Percent = done / jobs
	}
	return b, classify(err, "counting the batch's jobs")
}

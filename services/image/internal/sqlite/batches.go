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
	b := job.Batch{ID: id}
	var created int64
	err := s.reads.QueryRowContext(ctx, "SELECT tenant, total, created FROM batches WHERE id = ?", id).Scan(&b.Tenant, &b.Total, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return job.Batch{}, fault.New(fault.NotFound, "BATCH_NOT_FOUND", "there is no batch %q", id)
	}
	if err != nil {
		return job.Batch{}, classify(err, "reading the batch")
	}
	b.Created = when(created)
	rows, err := s.reads.QueryContext(ctx, batchQuery, id)
	standings, err := all(rows, err, func(row scanner) (st job.Standing, _ error) {
		var updated int64
		err := row.Scan(&st.State, &st.Jobs, &st.Percent, &updated)
		st.Updated = when(updated)
		return st, err
	})
	return b.Count(standings), classify(err, "counting the batch's jobs")
}

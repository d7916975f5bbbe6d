package postgres

import (
	"context"
	"database/sql"
	"errors"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Batch implements job.Batches.
func (s *Store) Batch(ctx context.Context, id job.BatchID) (b job.Batch, err error) {
	err = s.read(ctx, "reading the batch", func(ctx context.Context) error {
		b, err = s.batch(ctx, id)
		return err
	})
	if err != nil {
		return job.Batch{}, err
	}
	return b, nil
}

func (s *Store) batch(ctx context.Context, id job.BatchID) (job.Batch, error) {
	b := job.Batch{ID: id}
	err := s.db.QueryRowContext(ctx, "SELECT tenant, total, created FROM batches WHERE id = $1", text(id)).Scan(&b.Tenant, &b.Total, &b.Created)
	if errors.Is(err, sql.ErrNoRows) {
		return b, fault.New(fault.NotFound, "BATCH_NOT_FOUND", "there is no batch %q", id)
	}
	if err != nil {
		return b, err
	}
	b.Created = b.Created.UTC()
	rows, err := s.db.QueryContext(ctx, "SELECT state, count(*), sum(percent)::bigint, max(updated) FROM jobs WHERE batch_id <> '' AND batch_id = $1 GROUP BY state", text(id))
	standings, err := all(rows, err, func(row scanner) (st job.Standing, _ error) {
		var updated sql.NullTime
		err := row.Scan(&st.State, &st.Jobs, &st.Percent, &updated)
		st.Updated = when(updated)
		return st, err
	})
	return b.Count(standings), err
}

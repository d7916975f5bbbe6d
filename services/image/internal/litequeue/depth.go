package litequeue

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const count = `SELECT count(*) FILTER (WHERE leased = 0 OR due <= ?1), count(*) FILTER (WHERE leased = 0 AND due > ?1),
	count(*) FILTER (WHERE leased = 1 AND due > ?1),
	min(published) FILTER (WHERE leased = 0 OR due <= ?1) FROM messages
	WHERE topic = ?2 AND class IN (SELECT value FROM json_each(?3))`

// Depth counts what is on disk now. A message whose lease has ended is ready; age counts from publication.
func (q *Queue) Depth(ctx context.Context, topic string, classes ...job.Class) (job.Depth, error) {
	if closed(q.closing) {
		return job.Depth{}, errClosed()
	}
	if len(classes) == 0 {
		classes = job.Classes()
	}
	asked, err := json.Marshal(classes)
	if err != nil {
		return job.Depth{}, err
	}
	var d job.Depth
	var oldest sql.NullInt64
	now := time.Now()
	if err := q.db.QueryRowContext(ctx, count, millis(now), topic, string(asked)).Scan(&d.Ready, &d.Later, &d.Leased, &oldest); err != nil {
		if ctx.Err() != nil {
			return job.Depth{}, ctx.Err()
		}
		return job.Depth{}, fault.Wrap(err, fault.Unavailable, "QUEUE_UNAVAILABLE", "the queue cannot be counted")
	}
	if oldest.Valid {
		d.Oldest = max(now.Sub(time.UnixMilli(oldest.Int64)), time.Millisecond)
	}
	return d, nil
}

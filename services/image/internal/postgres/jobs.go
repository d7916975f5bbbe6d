package postgres

import (
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

const (
	jobColumns = "id, image_id, original, state, recipe, preset, run, attempts, requeues, sequence, failure_reason, failure_message, failure_variant, node, " +
		"created, started, ended, updated, batch_id, tenant, class, max_attempts, not_before, keep, webhook, is_unique, phase, percent, expires"
	resultColumns = "name, key, digest, size, format, content_type, width, height, pages"
)

func (s *Store) scanJob(row scanner) (j job.Job, err error) {
	var (
		recipe                          string
		reason, message, variant        sql.NullString
		started, ended, before, expires sql.NullTime
		keep                            int64
	)
	err = row.Scan(&j.ID, &j.ImageID, &j.Original, &j.State, &recipe, &j.Preset, &j.Run, &j.Attempts, &j.Requeues, &j.Sequence, &reason, &message, &variant, &j.Node,
		&j.Created, &started, &ended, &j.Updated, &j.BatchID, &j.Tenant, &j.Class, &j.MaxAttempts, &before, &keep, &j.Webhook, &j.Unique,
		&j.Progress.Phase, &j.Progress.Percent, &expires)
	if err != nil {
		return job.Job{}, err
	}
	j.Created, j.Started, j.Ended, j.Updated = j.Created.UTC(), when(started), when(ended), j.Updated.UTC()
	j.NotBefore, j.Keep, j.Expires = when(before), time.Duration(keep)*time.Microsecond, when(expires)
	j.Failure = failure(reason, message, variant)
	if j.Recipe, err = s.recipes.Read([]byte(recipe)); err != nil {
		return job.Job{}, fault.Wrap(err, fault.Internal, "STORE_CORRUPT", "the recipe of job %s cannot be read", j.ID)
	}
	return j, nil
}

func scanResult(row scanner) (r job.Result, err error) {
	err = row.Scan(&r.Name, &r.Key, &r.Digest, &r.Size, &r.Format, &r.ContentType, &r.Width, &r.Height, &r.Pages)
	return r, err
}

// withResults fills in the results of those that succeeded; nothing else has any.
func withResults(ctx context.Context, q querier, jobs []job.Job) error {
	place := map[job.ID]*job.Job{}
	var ids, images []string
	for i := range jobs {
		if jobs[i].State == job.Succeeded {
			place[jobs[i].ID] = &jobs[i]
			ids, images = append(ids, string(jobs[i].ID)), append(images, string(jobs[i].ImageID))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := q.QueryContext(ctx, "SELECT job_id, "+resultColumns+
		" FROM results JOIN unnest($1::text[], $2::text[]) AS asked (image, job) ON image_id = asked.image AND job_id = asked.job ORDER BY job_id, position", images, ids)
	_, err = all(rows, err, func(row scanner) (none struct{}, _ error) {
		var (
			id job.ID
			r  job.Result
		)
		err := row.Scan(&id, &r.Name, &r.Key, &r.Digest, &r.Size, &r.Format, &r.ContentType, &r.Width, &r.Height, &r.Pages)
		if err == nil {
			place[id].Results = append(place[id].Results, r)
		}
		return none, err
	})
	return err
}

func noJob(id job.ID) error {
	return fault.New(fault.NotFound, "JOB_NOT_FOUND", "there is no job %q", id)
}

// Job implements job.Jobs.
func (s *Store) Job(ctx context.Context, id job.ID) (job.Job, error) {
	one := make([]job.Job, 1)
	err := s.read(ctx, "reading the job", func(ctx context.Context) (err error) {
		one[0], err = s.scanJob(s.db.QueryRowContext(ctx, "SELECT "+jobColumns+" FROM jobs WHERE id = $1", text(id)))
		if errors.Is(err, sql.ErrNoRows) {
			return noJob(id)
		}
		if err != nil {
			return err
		}
		return withResults(ctx, s.db, one)
	})
	if err != nil {
		return job.Job{}, err
	}
	return one[0], nil
}

// Jobs implements job.Jobs.
func (s *Store) Jobs(ctx context.Context, f job.Filter, after job.ID, limit int) (found []job.Job, err error) {
	query, args := listing(f, after, limit)
	err = s.read(ctx, "listing jobs", func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, query, args...)
		if found, err = all(rows, err, s.scanJob); err != nil {
			return err
		}
		return withResults(ctx, s.db, found)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// listing is the query for the jobs that f lets through. It says of a batch and of a tenant that they are not empty, and of states that
// they are not success, because the indexes over them hold no others.
func listing(f job.Filter, after job.ID, limit int) (query string, args []any) {
	where := []string{"true"}
	and := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if f.Image != "" {
		and("image_id = $%d", text(f.Image))
	}
	if f.Batch != "" {
		and("batch_id <> '' AND batch_id = $%d", text(f.Batch))
	}
	if f.Tenant != "" {
		and("tenant <> '' AND tenant = $%d", text(f.Tenant))
	}
	if f.Reason != "" {
		and("failure_reason = $%d", text(f.Reason))
	}
	switch {
	case len(f.States) == 1:
		and("state = $%d", text(f.States[0]))
	case len(f.States) > 1:
		and("state = ANY($%d::text[])", texts(f.States))
	}
	if len(f.States) > 0 && !slices.Contains(f.States, job.Succeeded) {
		where = append(where, "state <> 'succeeded'")
	}
	if after != "" {
		and("id < $%d", text(after))
	}
	args = append(args, limit)
	return "SELECT " + jobColumns + " FROM jobs WHERE " + strings.Join(where, " AND ") + fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(args)), args
}

// belongings removes what hangs on jobs, which the CTE gone names. A message that a relay holds is not waited for: it goes when it is
// published, and means nothing then.
const belongings = `
	gone_results AS (DELETE FROM results USING gone WHERE results.image_id = gone.image_id AND job_id = gone.id),
	gone_events AS (DELETE FROM events WHERE job_id IN (SELECT id FROM gone)),
	gone_notices AS (DELETE FROM webhooks WHERE job_id IN (SELECT id FROM gone)),
	gone_messages AS (DELETE FROM outbox WHERE ctid = ANY(ARRAY(SELECT outbox.ctid FROM outbox JOIN gone
		ON outbox.class || '/' || outbox.tenant = gone.class || '/' || gone.tenant AND job_id = gone.id FOR UPDATE OF outbox SKIP LOCKED)))`

// Drop implements job.Jobs.
func (s *Store) Drop(ctx context.Context, id job.ID) error {
	return s.retried(ctx, "dropping the job", func(ctx context.Context) error {
		var (
			dropped int
			state   sql.NullString
		)
		err := s.db.QueryRowContext(ctx, "WITH gone AS (DELETE FROM jobs WHERE id = $1 AND state IN ('succeeded', 'failed', 'cancelled', 'dead') RETURNING id, image_id, class, tenant),"+belongings+
			" SELECT (SELECT count(*) FROM gone), (SELECT state FROM jobs WHERE id = $1)", text(id)).Scan(&dropped, &state)
		if err == nil && dropped == 0 && state.Valid {
			return fault.New(fault.Conflict, "JOB_NOT_ENDED", "the job has not ended: it is %s", state.String)
		}
		return err
	})
}

// Events implements job.Jobs.
func (s *Store) Events(ctx context.Context, id job.ID, after int64, limit int) (found []job.Event, err error) {
	err = s.read(ctx, "reading the job's events", func(ctx context.Context) error {
		j, err := s.scanJob(s.db.QueryRowContext(ctx, "SELECT "+jobColumns+" FROM jobs WHERE id = $1", text(id))) // first: what is kept later is no gap
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rows, err := s.db.QueryContext(ctx, `SELECT sequence, time, state, attempt, node, failure_reason, failure_message, failure_variant, phase, percent
			FROM events WHERE job_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`, text(id), after, limit)
		found, err = all(rows, err, func(row scanner) (job.Event, error) {
			e := job.Event{Job: id}
			var reason, message, variant sql.NullString
			err := row.Scan(&e.Sequence, &e.Time, &e.State, &e.Attempt, &e.Node, &reason, &message, &variant, &e.Progress.Phase, &e.Progress.Percent)
			e.Time, e.Failure = e.Time.UTC(), failure(reason, message, variant)
			return e, err
		})
		found = job.History(j, found, after, limit)
		return err
	})
	return found, err
}

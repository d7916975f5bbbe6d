package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const (
	jobColumns = "id, image_id, original, state, recipe, preset, run, attempts, requeues, sequence, failure, node, created, started, ended, updated, " +
		"batch_id, tenant, class, max_attempts, not_before, keep, webhook, is_unique, phase, percent, expires"
	resultColumns = "name, key, digest, size, format, content_type, width, height, pages"
)

func scanJob(row scanner) (j job.Job, err error) {
	var (
		text             string
		failure          sql.NullString
		created, updated int64
		started, ended   sql.NullInt64
		before, expires  sql.NullInt64
		keep             int64
	)
	err = row.Scan(&j.ID, &j.ImageID, &j.Original, &j.State, &text, &j.Preset, &j.Run, &j.Attempts, &j.Requeues, &j.Sequence,
		&failure, &j.Node, &created, &started, &ended, &updated,
		&j.BatchID, &j.Tenant, &j.Class, &j.MaxAttempts, &before, &keep, &j.Webhook, &j.Unique, &j.Progress.Phase, &j.Progress.Percent, &expires)
	if err != nil {
		return job.Job{}, err
	}
	j.Created, j.Started, j.Ended, j.Updated = when(created), nullWhen(started), nullWhen(ended), when(updated)
	j.NotBefore, j.Keep, j.Expires = nullWhen(before), time.Duration(keep)*time.Microsecond, nullWhen(expires)
	if err := json.Unmarshal([]byte(text), &j.Recipe); err != nil {
		return job.Job{}, fault.Wrap(err, fault.Internal, "STORE_CORRUPT", "the recipe of job %s cannot be read", j.ID)
	}
	j.Failure, err = readFailure(failure)
	return j, err
}

func scanResult(row scanner) (r job.Result, err error) {
	err = row.Scan(&r.Name, &r.Key, &r.Digest, &r.Size, &r.Format, &r.ContentType, &r.Width, &r.Height, &r.Pages)
	return r, err
}

func insertJob(ctx context.Context, tx *sql.Tx, j job.Job) error {
	text, err := json.Marshal(j.Recipe)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "the recipe cannot be kept")
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO jobs ("+jobColumns+") VALUES (?"+strings.Repeat(", ?", strings.Count(jobColumns, ","))+")",
		j.ID, j.ImageID, j.Original, j.State, string(text), j.Preset, j.Run, j.Attempts, j.Requeues, j.Sequence,
		failureText(j.Failure), j.Node, micros(j.Created), nullMicros(j.Started), nullMicros(j.Ended), micros(j.Updated),
		j.BatchID, j.Tenant, j.Class.OrNormal(), j.MaxAttempts, nullMicros(j.NotBefore), j.Keep.Microseconds(), j.Webhook, j.Unique,
		j.Progress.Phase, j.Progress.Percent, nullMicros(j.Expires))
	if brokenReference(err) {
		return noImage(j.ImageID)
	}
	return classify(err, "keeping the job")
}

func readJob(ctx context.Context, q querier, id job.ID) (job.Job, error) {
	j, err := scanJob(q.QueryRowContext(ctx, "SELECT "+jobColumns+" FROM jobs WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return job.Job{}, fault.New(fault.NotFound, "JOB_NOT_FOUND", "there is no job %q", id)
	}
	if err != nil {
		return job.Job{}, classify(err, "reading the job")
	}
	one := []job.Job{j}
	err = withResults(ctx, q, one...)
	return one[0], err
}

// withResults fills in the results of those that succeeded; nothing else has any.
func withResults(ctx context.Context, q querier, jobs ...job.Job) error {
	place := map[job.ID]*job.Job{}
	var ids []any
	for i := range jobs {
		if jobs[i].State == job.Succeeded {
			place[jobs[i].ID] = &jobs[i]
			ids = append(ids, jobs[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := q.QueryContext(ctx, "SELECT job_id, "+resultColumns+" FROM results WHERE job_id IN (?"+strings.Repeat(", ?", len(ids)-1)+
		") ORDER BY job_id, position", ids...)
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
	return classify(err, "reading results")
}

// Job implements job.Jobs.
func (s *Store) Job(ctx context.Context, id job.ID) (job.Job, error) {
	return readJob(ctx, s.reads, id)
}

// Jobs implements job.Jobs.
func (s *Store) Jobs(ctx context.Context, f job.Filter, after job.ID, limit int) ([]job.Job, error) {
	query, args := listing(f, after, limit)
	rows, err := s.reads.QueryContext(ctx, query, args...)
	found, err := all(rows, err, scanJob)
	if err != nil {
		return nil, classify(err, "listing jobs")
	}
	return found, withResults(ctx, s.reads, found...)
}

// listing is the query for the jobs that f lets through. It says of a batch and of a tenant that they are not empty, because the
// indexes over them hold no others.
func listing(f job.Filter, after job.ID, limit int) (query string, args []any) {
	var where []string
	if f.Image != "" {
		where, args = append(where, "image_id = ?"), append(args, f.Image)
	}
	if f.Batch != "" {
		where, args = append(where, "batch_id <> '' AND batch_id = ?"), append(args, f.Batch)
	}
	if f.Tenant != "" {
		where, args = append(where, "tenant <> '' AND tenant = ?"), append(args, f.Tenant)
	}
	if f.Reason != "" {
		where, args = append(where, "failure ->> '$.Reason' = ?"), append(args, f.Reason)
	}
	if len(f.States) > 0 {
		where = append(where, "state IN (?"+strings.Repeat(", ?", len(f.States)-1)+")")
		for _, state := range f.States {
			args = append(args, state)
		}
	}
	if after != "" {
		where, args = append(where, "id < ?"), append(args, after)
	}
	query = "SELECT " + jobColumns + " FROM jobs"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	return query + " ORDER BY id DESC LIMIT ?", append(args, limit)
}

// Update implements job.Jobs; the writer's turn keeps other changes out.
func (s *Store) Update(ctx context.Context, id job.ID, change func(job.Job) (job.Change, error)) (now job.Job, err error) {
	err = s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		before, err := readJob(ctx, tx, id)
		if err != nil {
			return err
		}
		c, err := change(before)
		if err != nil {
			return err
		}
		if now = before; len(c.Events) == 0 {
			return nil
		}
		now = c.Job
		if err := updateJob(ctx, tx, now); err != nil {
			return err
		}
		return keep(ctx, tx, id, c)
	})
	if err != nil {
		return job.Job{}, err
	}
	return now, nil
}

func updateJob(ctx context.Context, tx *sql.Tx, j job.Job) error {
	_, err := tx.ExecContext(ctx, `UPDATE jobs SET state = ?, run = ?, attempts = ?, requeues = ?, sequence = ?, failure = ?, node = ?,
		started = ?, ended = ?, updated = ?, phase = ?, percent = ?, expires = ? WHERE id = ?`,
		j.State, j.Run, j.Attempts, j.Requeues, j.Sequence, failureText(j.Failure), j.Node,
		nullMicros(j.Started), nullMicros(j.Ended), micros(j.Updated),
		j.Progress.Phase, j.Progress.Percent, nullMicros(j.Expires), j.ID)
	if err != nil {
		return classify(err, "keeping the job's state")
	}
	for i, r := range j.Results {
		_, err := tx.ExecContext(ctx, "INSERT INTO results (job_id, position, image_id, "+resultColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			j.ID, i, j.ImageID, r.Name, r.Key, r.Digest, r.Size, r.Format, r.ContentType, r.Width, r.Height, r.Pages)
		if err != nil {
			return classify(err, "keeping a result")
		}
	}
	return nil
}

// Drop implements job.Jobs; what hangs on the job goes by its foreign keys.
func (s *Store) Drop(ctx context.Context, id job.ID) error {
	return s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var state job.State
		err := tx.QueryRowContext(ctx, "SELECT state FROM jobs WHERE id = ?", id).Scan(&state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return classify(err, "looking for the job")
		case !state.Ended():
			return fault.New(fault.Conflict, "JOB_NOT_ENDED", "the job has not ended: it is %s", state)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM jobs WHERE id = ?", id)
		return classify(err, "dropping the job")
	})
}

// Events implements job.Jobs.
func (s *Store) Events(ctx context.Context, id job.ID, after int64, limit int) ([]job.Event, error) {
	rows, err := s.reads.QueryContext(ctx,
		"SELECT sequence, time, state, attempt, node, failure, phase, percent FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence LIMIT ?", id, after, limit)
	found, err := all(rows, err, func(row scanner) (job.Event, error) {
		e := job.Event{Job: id}
		var (
			at      int64
			failure sql.NullString
		)
		err := row.Scan(&e.Sequence, &at, &e.State, &e.Attempt, &e.Node, &failure, &e.Progress.Phase, &e.Progress.Percent)
		if err != nil {
			return job.Event{}, err
		}
		e.Time = when(at)
		e.Failure, err = readFailure(failure)
		return e, err
	})
	return found, classify(err, "reading the job's events")
}

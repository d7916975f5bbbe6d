package postgres

import (
	"context"
	"database/sql"

	"calotype/services/image/internal/job"
)

// update is one change of a job that was asked for, and what came of it.
type update struct {
	id     job.ID
	change func(job.Job) (job.Change, error)
	now    job.Job
	err    error
}

// Update implements job.Jobs.
func (s *Store) Update(ctx context.Context, id job.ID, change func(job.Job) (job.Change, error)) (job.Job, error) {
	u := &update{id: id, change: change}
	if err := s.updates.write(ctx, u); err != nil {
		return job.Job{}, err
	}
	if u.err != nil {
		return job.Job{}, u.err
	}
	return u.now, nil
}

// updateAll makes changes of some jobs, in the order in which they were asked for, while their rows are locked.
func (s *Store) updateAll(ctx context.Context, asked []*update) error {
	release := func() {} // only after the commit; see turns
	defer func() { release() }()
	return s.once(ctx, "changing jobs", func(ctx context.Context, tx *sql.Tx, token string) (bool, error) {
		jobs, err := s.lockJobs(ctx, tx, asked)
		if err != nil {
			return false, err
		}
		var k kept
		changed := map[job.ID]bool{}
		for _, u := range asked {
			j, ok := jobs[u.id]
			if !ok {
				u.err = noJob(u.id)
				continue
			}
			c, err := u.change(*j)
			if u.err = err; err != nil {
				continue
			}
			if u.now = *j; len(c.Events) == 0 {
				continue
			}
			if end, ended := job.End(*j); ended { // it follows from the job no more
				k.events = append(k.events, happened{Event: end, job: u.id})
			}
			if !changed[u.id] {
				changed[u.id] = true
				k.changed = append(k.changed, j)
			}
			if c.Job.State == job.Succeeded && j.State != job.Succeeded {
				k.addResults(c.Job)
			}
			*j, u.now = c.Job, c.Job
			k.add(u.id, c)
		}
		if len(changed) == 0 {
			return false, nil
		}
		release() // what the try before took
		if release, err = s.turns.take(ctx, tx, k.messages); err != nil {
			return false, err
		}
		return true, k.statement().run(ctx, tx, token)
	})
}

const lockQuery = "SELECT " + jobColumns + " FROM jobs WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE"

// lockJobs reads those of the jobs that are there. They are locked in the order of their identifiers, so that those who want several
// never wait for each other in a circle.
func (s *Store) lockJobs(ctx context.Context, tx *sql.Tx, asked []*update) (map[job.ID]*job.Job, error) {
	ids := make([]job.ID, len(asked))
	for i, u := range asked {
		ids[i] = u.id
	}
	rows, err := tx.QueryContext(ctx, lockQuery, texts(ids))
	found, err := all(rows, err, s.scanJob)
	if err != nil {
		return nil, err
	}
	if err := withResults(ctx, tx, found); err != nil {
		return nil, err
	}
	jobs := make(map[job.ID]*job.Job, len(found))
	for i := range found {
		jobs[found[i].ID] = &found[i]
	}
	return jobs, nil
}

package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

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

// updateAll makes changes of some jobs, in the order in which they were asked for: of the jobs as they are known, in one round trip, and, where
// one of them turns out to stand otherwise, while their rows are locked.
func (s *Store) updateAll(ctx context.Context, asked []*update) error {
	err := s.updateKnown(ctx, asked)
	if errors.Is(err, errOvertaken) {
		err = s.updateLocked(ctx, asked)
	}
	return err
}

var errOvertaken = errors.New("a job stands otherwise than was known")

// updateKnown keeps nothing and returns errOvertaken where a job has changed since it was read or accepted.
func (s *Store) updateKnown(ctx context.Context, asked []*update) error {
	jobs, remembered, err := s.known(ctx, asked)
	if err != nil {
		return err
	}
	k, idle := changes(asked, jobs)
	for _, id := range idle {
		if remembered[id] { // what is remembered may be old, and no statement would tell
			return errOvertaken
		}
	}
	if len(k.changed) == 0 {
		return nil
	}
	release, err := s.turnsOf(ctx, k.messages)
	if err != nil {
		return err
	}
	defer release()                                                                       // only after the commit; see turns
	slices.SortFunc(k.changed, func(a, b changed) int { return cmp.Compare(a.ID, b.ID) }) // see lockQuery
	all := k.statement()
	return s.atOnce(ctx, "changing jobs", func(ctx context.Context, token string) error {
		err := all.run(ctx, s.writers, token)
		if code(err) == notNull {
			return errors.Join(errOvertaken, err)
		}
		return err
	})
}

// known gives those of the jobs that are there, as they were when they were accepted here, which may be a while ago (remembered), or as they
// are.
func (s *Store) known(ctx context.Context, asked []*update) (jobs map[job.ID]*job.Job, remembered map[job.ID]bool, err error) {
	jobs, remembered = map[job.ID]*job.Job{}, map[job.ID]bool{}
	var others []*update
	for _, u := range asked {
		if j, ok := s.accepted.Peek(u.id); ok {
			s.accepted.Remove(u.id) // it changes now
			jobs[u.id], remembered[u.id] = &j, true
		} else if !remembered[u.id] {
			others = append(others, u)
		}
	}
	if len(others) == 0 {
		return jobs, remembered, nil
	}
	err = s.read(ctx, "reading jobs", func(ctx context.Context) error {
		read, err := s.readJobs(ctx, s.writers, readQuery, others)
		maps.Copy(jobs, read)
		return err
	})
	return jobs, remembered, err
}

// changes applies what is asked for to the jobs, and says which of them some of it left as they were.
func changes(asked []*update, jobs map[job.ID]*job.Job) (k kept, idle []job.ID) {
	place := map[job.ID]int{} // in k.changed
	k.changed = make([]changed, 0, len(jobs))
	for _, u := range asked {
		j, ok := jobs[u.id]
		if !ok {
			u.err = noJob(u.id)
			continue
		}
		c, err := u.change(*j)
		if u.err = err; err != nil {
			idle = append(idle, u.id)
			continue
		}
		if u.now = *j; len(c.Events) == 0 {
			idle = append(idle, u.id)
			continue
		}
		if end, ended := job.End(*j); ended { // it follows from the job no more
			k.events = append(k.events, happened{Event: end, job: u.id})
		}
		at, ok := place[u.id]
		if !ok {
			at = len(k.changed)
			place[u.id] = at
			k.changed = append(k.changed, changed{before: j.Sequence})
		}
		k.changed[at].Job = c.Job
		if c.Job.State == job.Succeeded && j.State != job.Succeeded {
			k.addResults(c.Job)
		}
		*j, u.now = c.Job, c.Job
		k.add(u.id, c)
	}
	return k, idle
}

// updateLocked makes the changes while the jobs' rows are locked.
func (s *Store) updateLocked(ctx context.Context, asked []*update) error {
	release := func() {} // only after the commit; see turns
	defer func() { release() }()
	return s.once(ctx, "changing jobs", func(ctx context.Context, tx *sql.Tx, token string) (bool, error) {
		jobs, err := s.readJobs(ctx, tx, lockQuery, asked)
		if err != nil {
			return false, err
		}
		k, _ := changes(asked, jobs)
		if len(k.changed) == 0 {
			return false, nil
		}
		release() // what the try before took
		if release, err = s.turns.take(ctx, tx, k.messages); err != nil {
			return false, err
		}
		return true, k.statement().run(ctx, tx, token)
	})
}

const (
	readQuery = "SELECT " + jobColumns + " FROM jobs WHERE id = ANY($1::text[])"
	// Rows are locked in the order of their identifiers, so that those who want several never wait for each other in a circle.
	lockQuery = readQuery + " ORDER BY id FOR NO KEY UPDATE"
)

// readJobs reads those of the jobs that are there.
func (s *Store) readJobs(ctx context.Context, from querier, query string, asked []*update) (map[job.ID]*job.Job, error) {
	ids := make([]job.ID, len(asked))
	for i, u := range asked {
		ids[i] = u.id
	}
	rows, err := from.QueryContext(ctx, query, texts(ids))
	found, err := all(rows, err, s.scanJob)
	if err != nil {
		return nil, err
	}
	if err := withResults(ctx, from, found); err != nil {
		return nil, err
	}
	jobs := make(map[job.ID]*job.Job, len(found))
	for i := range found {
		jobs[found[i].ID] = &found[i]
	}
	return jobs, nil
}

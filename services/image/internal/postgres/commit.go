package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"hash/fnv"
	"slices"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// commit is one accepted request, and what came of it.
type commit struct {
	job.Commit
	inForce job.Receipt
	err     error
}

func (c *commit) unique() bool { return len(c.Jobs) == 1 && c.Jobs[0].Job.Unique }

// Commit implements job.Register.
func (s *Store) Commit(ctx context.Context, asked job.Commit) (job.Receipt, error) {
	c := &commit{Commit: asked}
	if err := s.commits.write(ctx, c); err != nil {
		return job.Receipt{}, err
	}
	if c.err != nil {
		return job.Receipt{}, c.err
	}
	return c.inForce, nil
}

// Receipt implements job.Register.
func (s *Store) Receipt(ctx context.Context, key string, now time.Time) (r job.Receipt, err error) {
	err = s.read(ctx, "looking for the idempotency key", func(ctx context.Context) error {
		found, err := receipts(ctx, s.db, []string{key})
		if err != nil {
			return err
		}
		var ok bool
		if r, ok = found[key]; key == "" || !ok || !r.Expires.After(now) {
			return fault.New(fault.NotFound, "", "the idempotency key was not used before")
		}
		return nil
	})
	if err != nil {
		return job.Receipt{}, err
	}
	return r, nil
}

func receipts(ctx context.Context, q querier, keys []string) (map[string]job.Receipt, error) {
	asked := map[string]string{} // what is kept for a key may differ from it
	for _, key := range keys {
		asked[text(key)] = key
	}
	found := map[string]job.Receipt{}
	rows, err := q.QueryContext(ctx, "SELECT key, payload, image_id, job_id, batch_id, created, expires FROM receipts WHERE key = ANY($1::text[])", texts(keys))
	_, err = all(rows, err, func(row scanner) (none struct{}, _ error) {
		var (
			r     job.Receipt
			image sql.NullString
		)
		err := row.Scan(&r.Key, &r.Payload, &image, &r.Job, &r.Batch, &r.Created, &r.Expires)
		r.Key, r.Image, r.Created, r.Expires = asked[r.Key], job.ImageID(image.String), r.Created.UTC(), r.Expires.UTC()
		found[r.Key] = r
		return none, err
	})
	return found, err
}

// commitAll keeps what some requests ask for. Those with the same key, and those with the same unique job, come one after the other,
// whichever manager they came to: each holds a lock from before it looks until it is committed.
func (s *Store) commitAll(ctx context.Context, asked []*commit) error {
	keep := s.commitTogether
	if len(locks(asked)) == 0 {
		keep = s.commitAtOnce
	}
	err := keep(ctx, asked)
	if brokenReference(err) && len(asked) == 1 {
		return s.missing(ctx, asked[0], err)
	}
	return err
}

// commitAtOnce keeps what nobody else can ask for at the same time: nothing needs to be looked at or locked before.
func (s *Store) commitAtOnce(ctx context.Context, asked []*commit) error {
	n := 0
	for _, c := range asked {
		n += len(c.Jobs)
	}
	k := kept{jobs: make([]accepted, 0, n), messages: make([]posted, 0, n)}
	nobody := newKnown(s.written)
	for _, c := range asked {
		c.inForce, c.err = nobody.admit(&k, c)
	}
	release, err := s.turnsOf(ctx, k.messages)
	if err != nil {
		return err
	}
	defer release() // only after the commit; see turns
	all := k.statement()
	if len(all.parts) == 0 {
		return nil
	}
	err = s.atOnce(ctx, "keeping what was asked for", func(ctx context.Context, token string) error { return all.run(ctx, s.writers, token) })
	if err == nil {
		s.remember(k.jobs)
	}
	return err
}

// turnsOf gives messages their turns ahead of the transaction that keeps them.
func (s *Store) turnsOf(ctx context.Context, messages []posted) (release func(), err error) {
	err = s.read(ctx, "looking for the messages' turns", func(ctx context.Context) error {
		release, err = s.turns.take(ctx, s.writers, messages)
		return err
	})
	return release, err
}

// remember keeps in mind what was accepted.
func (s *Store) remember(jobs []accepted) {
	for _, j := range jobs {
		j.NotBefore = j.NotBefore.Truncate(time.Microsecond) // as it is kept
		s.accepted.Add(j.ID, j.Job)
	}
}

func (s *Store) commitTogether(ctx context.Context, asked []*commit) error {
	var k kept
	release := func() {} // only after the commit; see turns
	defer func() { release() }()
	err := s.once(ctx, "keeping what was asked for", func(ctx context.Context, tx *sql.Tx, token string) (bool, error) {
		known, err := lookUp(ctx, tx, asked, s.written)
		if err != nil {
			return false, err
		}
		k = kept{}
		for _, c := range asked {
			c.inForce, c.err = known.admit(&k, c)
		}
		k.receipts = known.written()
		release() // what the try before took
		if release, err = s.turns.take(ctx, tx, k.messages); err != nil {
			return false, err
		}
		if s := k.statement(); len(s.parts) > 0 {
			return true, s.run(ctx, tx, token)
		}
		return false, nil
	})
	if err == nil {
		s.remember(k.jobs)
	}
	return err
}

// missing tells which image a job is on that is not there.
func (s *Store) missing(ctx context.Context, c *commit, broken error) error {
	ids := make([]job.ImageID, 0, len(c.Jobs))
	for _, j := range c.Jobs {
		if c.Image == nil || j.Job.ImageID != c.Image.ID {
			ids = append(ids, j.Job.ImageID)
		}
	}
	var there []job.ImageID
	err := s.read(ctx, "looking for the image", func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, "SELECT id FROM images WHERE id = ANY($1::text[])", texts(ids))
		there, err = all(rows, err, scan[job.ImageID])
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.Contains(there, id) {
			return noImage(id)
		}
	}
	return broken
}

// locks are the numbers of the locks that requests need, in one order for all.
func locks(asked []*commit) (numbers []int64) {
	for _, c := range asked {
		if c.Receipt.Key != "" {
			numbers = append(numbers, number("key", c.Receipt.Key))
		}
		if c.unique() {
			numbers = append(numbers, number("unique", string(c.Jobs[0].Job.Original)))
		}
	}
	slices.SortFunc(numbers, cmp.Compare[int64])
	return slices.Compact(numbers)
}

// number is the same in all managers. Two that meet by chance only wait for each other.
func number(kind, name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind + ":" + name))
	return int64(h.Sum64()) //nolint:gosec // any number will do
}

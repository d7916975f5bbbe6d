package postgres

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"calotype/services/image/internal/job"
)

// known is what requests that are committed together may run into: receipts under their keys, and jobs in flight that are the same as
// theirs. What one of them brings, the next ones know.
type known struct {
	receipts map[string]job.Receipt
	inFlight map[same]job.ID
	fresh    map[string]bool // keys under which receipts are to be written
}

// same is what makes a unique job the same as another.
type same struct {
	image  job.ImageID
	recipe string
}

func newKnown() *known {
	return &known{receipts: map[string]job.Receipt{}, inFlight: map[same]job.ID{}, fresh: map[string]bool{}}
}

// lookUp locks what must not change, and reads it.
func lookUp(ctx context.Context, tx *sql.Tx, asked []*commit) (*known, error) {
	k := newKnown()
	numbers := locks(asked)
	if len(numbers) == 0 {
		return k, nil
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number", numbers); err != nil {
		return nil, err
	}
	var (
		keys            []string
		images, recipes []string
	)
	for _, c := range asked {
		if c.Receipt.Key != "" {
			keys = append(keys, c.Receipt.Key)
		}
		if c.unique() {
			recipe, err := recipeText(c.Jobs[0].Job)
			if err != nil {
				return nil, err
			}
			images, recipes = append(images, text(c.Jobs[0].Job.ImageID)), append(recipes, recipe)
		}
	}
	var err error
	if len(keys) > 0 {
		if k.receipts, err = receipts(ctx, tx, keys); err != nil {
			return nil, err
		}
	}
	if len(images) == 0 {
		return k, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT jobs.image_id, jobs.recipe, min(jobs.id COLLATE "C") FROM jobs JOIN unnest($1::text[], $2::text[]) AS asked (image_id, recipe)
		ON jobs.image_id = asked.image_id AND jobs.recipe = asked.recipe WHERE jobs.state IN ('scheduled', 'queued', 'running') GROUP BY 1, 2`, images, recipes)
	_, err = all(rows, err, func(row scanner) (none struct{}, _ error) {
		var (
			s  same
			id job.ID
		)
		err := row.Scan(&s.image, &s.recipe, &id)
		k.inFlight[s] = id
		return none, err
	})
	return k, err
}

// admit decides about one request, adds what it brings, and returns the receipt in force.
func (k *known) admit(to *kept, c *commit) (job.Receipt, error) {
	r := c.Receipt
	if earlier, ok := k.receipts[r.Key]; ok && r.Key != "" && earlier.Expires.After(r.Created) {
		if earlier.Payload != r.Payload {
			return r, job.KeyReused()
		}
		return earlier, nil
	}
	bring := true
	if c.unique() {
		recipe, err := recipeText(c.Jobs[0].Job)
		if err != nil {
			return r, err
		}
		s := same{image: c.Jobs[0].Job.ImageID, recipe: recipe}
		if id, ok := k.inFlight[s]; ok {
			r.Job, bring = id, false
		} else {
			k.inFlight[s] = c.Jobs[0].Job.ID
		}
	}
	if bring {
		if err := to.addCommit(c); err != nil {
			return r, err
		}
	}
	if r.Key != "" {
		k.receipts[r.Key], k.fresh[r.Key] = r, true
	}
	return r, nil
}

func (k *kept) addCommit(c *commit) error {
	for _, j := range c.Jobs {
		if err := k.addJob(j); err != nil {
			return err
		}
	}
	if c.Image != nil {
		k.images = append(k.images, *c.Image)
	}
	if c.Batch != nil {
		k.batches = append(k.batches, *c.Batch)
	}
	return nil
}

// written are the receipts that are new.
func (k *known) written() (all []job.Receipt) {
	for _, key := range slices.Sorted(maps.Keys(k.fresh)) {
		all = append(all, k.receipts[key])
	}
	return all
}

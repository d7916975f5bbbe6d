package postgres

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// known is what requests that are committed together may run into: receipts under their keys, and jobs in flight that are the same as
// theirs. What one of them brings, the next ones know.
type known struct {
	receipts map[string]job.Receipt
	inFlight map[same]standing
	fresh    map[string]bool // keys under which receipts are to be written
	recipes  *recipe.Writer
}

// same is what makes a unique job the same as another.
type same struct {
	original job.Digest
	recipe   string
}

// standing is a job in flight.
type standing struct {
	job   job.ID
	image job.ImageID
}

func newKnown(recipes *recipe.Writer) *known {
	return &known{recipes: recipes, receipts: map[string]job.Receipt{}, inFlight: map[same]standing{}, fresh: map[string]bool{}}
}

// lookUp locks what must not change, and reads it.
func lookUp(ctx context.Context, tx *sql.Tx, asked []*commit, recipes *recipe.Writer) (*known, error) {
	k := newKnown(recipes)
	numbers := locks(asked)
	if len(numbers) == 0 {
		return k, nil
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number", numbers); err != nil {
		return nil, err
	}
	var (
		keys              []string
		originals, wanted []string
	)
	for _, c := range asked {
		if c.Receipt.Key != "" {
			keys = append(keys, c.Receipt.Key)
		}
		if c.unique() {
			recipe, err := recipeText(c.Jobs[0].Job, k.recipes)
			if err != nil {
				return nil, err
			}
			originals, wanted = append(originals, text(c.Jobs[0].Job.Original)), append(wanted, recipe)
		}
	}
	var err error
	if len(keys) > 0 {
		if k.receipts, err = receipts(ctx, tx, keys); err != nil {
			return nil, err
		}
	}
	if len(originals) == 0 {
		return k, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT ON (jobs.original, jobs.recipe) jobs.original, jobs.recipe, jobs.id, jobs.image_id
		FROM jobs JOIN unnest($1::text[], $2::text[]) AS asked (original, recipe) ON jobs.original = asked.original AND jobs.recipe = asked.recipe
		WHERE jobs.state IN ('scheduled', 'queued', 'running') ORDER BY jobs.original, jobs.recipe, jobs.id COLLATE "C"`, originals, wanted)
	_, err = all(rows, err, func(row scanner) (none struct{}, _ error) {
		var (
			s     same
			first standing
		)
		err := row.Scan(&s.original, &s.recipe, &first.job, &first.image)
		k.inFlight[s] = first
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
		recipe, err := recipeText(c.Jobs[0].Job, k.recipes)
		if err != nil {
			return r, err
		}
		j := c.Jobs[0].Job
		s := same{original: j.Original, recipe: recipe}
		if first, ok := k.inFlight[s]; ok {
			r.Job, r.Image, bring = first.job, first.image, false
		} else {
			k.inFlight[s] = standing{job: j.ID, image: j.ImageID}
		}
	}
	if bring {
		if err := to.addCommit(c, k.recipes); err != nil {
			return r, err
		}
	}
	if r.Key != "" {
		k.receipts[r.Key], k.fresh[r.Key] = r, true
	}
	return r, nil
}

func (k *kept) addCommit(c *commit, recipes *recipe.Writer) error {
	for _, j := range c.Jobs {
		if err := k.addJob(j, recipes); err != nil {
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

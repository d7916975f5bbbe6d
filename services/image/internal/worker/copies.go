package worker

import (
	"context"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Copies gives reduced copies in the place of large originals, where a copy is enough for what is made of it. Whether it is must not
// depend on whether it is there. Its methods may be called concurrently.
type Copies interface {
	// Kept gives a copy that is there, if it is enough for the variants that resolve gives for its original.
	Kept(d job.Digest, resolve func(original job.Picture) ([]recipe.Variant, error)) (job.Input, bool)
	// Reduce gives the copy in the place of an original if it is enough for resolved variants, and makes it where it is not there; else
	// what it was given. Fails as Engine does, but not for what is wrong with the picture.
	Reduce(ctx context.Context, d job.Digest, in job.Input, variants []recipe.Variant) (job.Input, error)
}

// kept gives a copy that is there for a recipe, so that its original need not be fetched.
func (p Parts) kept(d job.Digest, r recipe.Recipe) (job.Input, bool) {
	if p.Copies == nil || len(r.Variants) == 0 {
		return job.Input{}, false
	}
	return p.Copies.Kept(d, func(original job.Picture) ([]recipe.Variant, error) {
		r, err := r.Resolve(source(original))
		return r.Variants, err
	})
}

// reduce puts the copy of a large original in its place, if that is enough.
func (p Parts) reduce(ctx context.Context, d job.Digest, in job.Input, variants []recipe.Variant, tell func(job.Progress)) (job.Input, error) {
	if p.Copies == nil || in.Stands != nil {
		return in, nil
	}
	if tell != nil { // making it may take longer than all that follows
		tell(job.Progress{Phase: "decoding"})
	}
	return p.Copies.Reduce(ctx, d, in, variants)
}

// source is what a recipe's defaults follow from.
func source(pic job.Picture) recipe.Source {
	return recipe.Source{Format: pic.Format, HasAlpha: pic.HasAlpha, Pages: pic.Pages}
}

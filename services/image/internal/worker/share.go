package worker

import (
	"context"
	"strings"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Transform makes a recipe of a stored blob. Who asks for the same while it is made gets the same results, which nobody may write
// to, and takes no slot: it is made once, as long as anybody waits for it. Fails as Inspect does, with fault.Invalid when the recipe is
// wrong, and with fault.Deadline when it takes too long.
func (t *Transformer) Transform(ctx context.Context, d job.Digest, r recipe.Recipe) ([]Made, error) {
	if len(r.Check()) > 0 { // only a recipe in order has a canonical form
		return t.transform(ctx, d, r)
	}
	made, shared, err := t.runs.Do(ctx, wish(d, r), func(ctx context.Context) ([]Made, error) { return t.transform(ctx, d, r) })
	if shared {
		t.parts.Metrics.share()
	}
	return made, err
}

// wish is equal where results are: those of a recipe follow from the original and the canonical forms alone.
func wish(d job.Digest, r recipe.Recipe) string {
	var b strings.Builder
	b.WriteString(string(d))
	for _, v := range r.Variants {
		b.WriteString("\n" + v.Name + ":" + recipe.Canonical(v))
	}
	return b.String()
}

package manager

import (
	"context"
	"slices"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Plan is what a node would have to make for a URL.
type Plan struct {
	Image   job.Image
	Variant recipe.Variant // every default filled in
	Key     string
	// Vary is true where Accept had a say, so that caches must tell requests apart by it; Told which client hints had one.
	Vary bool
	Told recipe.Told
}

// Address is what a request on the fly asks for.
type Address struct {
	Image     job.ImageID
	Options   string // of the URL grammar
	Extension string
	Accept    string
	Hints     recipe.Hints
}

// Plan reads an address against its image.
func (u *Images) Plan(ctx context.Context, a Address) (Plan, error) {
	asked, told, err := recipe.ParseFly(a.Options, recipe.Fly{Hints: a.Hints, Presets: u.book.Load().presets})
	if err != nil {
		return Plan{}, err
	}
	im, err := u.store.Image(ctx, a.Image)
	if err != nil {
		return Plan{}, err
	}
	v, vary, err := asked.Negotiate(a.Extension, a.Accept, source(im.Picture))
	if err != nil {
		return Plan{}, err
	}
	one, err := u.overlays.resolve(ctx, recipe.Recipe{Variants: []recipe.Variant{v}})
	if err != nil {
		return Plan{}, err
	}
	v = one.Variants[0]
	return Plan{Told: told, Image: im, Variant: v, Key: recipe.Key(string(im.Digest), v, recipe.EngineVersion), Vary: vary}, nil
}

// Variant finds the newest finished result of a name; fault.NotFound, with reason VARIANT_NOT_READY while it is under way.
func (u *Images) Variant(ctx context.Context, id job.ImageID, name string) (job.Result, error) {
	r, err := u.store.Result(ctx, id, name)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return r, err
	}
	if _, err := u.store.Image(ctx, id); err != nil {
		return job.Result{}, err
	}
	underWay := job.Filter{Image: id, States: []job.State{job.Scheduled, job.Queued, job.Running}}
	for after := job.ID(""); ; {
		jobs, err := u.jobs.Jobs(ctx, underWay, after, job.MaxPage)
		if err != nil {
			return job.Result{}, err
		}
		for _, j := range jobs {
			if slices.ContainsFunc(j.Recipe.Variants, func(v recipe.Variant) bool { return v.Name == name }) {
				return job.Result{}, fault.New(fault.NotFound, "VARIANT_NOT_READY", "the variant %.80q is being made by job %s", name, j.ID)
			}
		}
		if len(jobs) < job.MaxPage {
			break
		}
		after = jobs[len(jobs)-1].ID
	}
	// A job may have finished between the two looks.
	return u.store.Result(ctx, id, name)
}

// Presets gives the presets in force, ordered by name.
func (u *Images) Presets() recipe.Catalog { return slices.Clone(u.book.Load().presets) }

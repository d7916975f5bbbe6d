package manager

import (
	"context"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Jobs accepts, follows and ends jobs.
type Jobs struct {
	desk   *desk
	store  job.Jobs
	images job.Images
	book   book
	mover  *mover
	news   *news
	mail   mail
	relay  *Relay
	poll   time.Duration
}

// CreateJob asks for a job on a registered image.
type CreateJob struct {
	Image job.ImageID
	Key   string // the idempotency key; empty means none
	Work
}

// Create begins a job. See the contract for its errors.
func (u *Jobs) Create(ctx context.Context, req CreateJob) (job.Job, error) {
	switch {
	case req.None():
		return job.Job{}, wrong("BAD_RECIPE", fault.Field{Path: "preset", Message: "is missing; a preset, a recipe or variants are needed"})
	case req.Preset != "" && len(req.Variants) > 0:
		return job.Job{}, wrong("BAD_RECIPE", fault.Field{Path: "preset", Message: "is given together with variants; choose one"})
	}
	sum, err := payload("jobs.create", string(req.Image), "", req.Work)
	if err != nil {
		return job.Job{}, err
	}
	before, err := u.desk.earlier(ctx, req.Key, sum)
	if err != nil {
		return job.Job{}, err
	}
	if before != nil {
		return *before.Job, nil
	}
	im, err := u.images.Image(ctx, req.Image)
	if err != nil {
		return job.Job{}, err
	}
	r, err := u.book.resolve(req.Work, im.Picture)
	if err != nil {
		return job.Job{}, err
	}
	a, err := u.desk.accept(ctx, Accepted{Image: im, Job: u.desk.newJob(im, r, req.Preset)}, false, req.Key, sum)
	if err != nil {
		return job.Job{}, err
	}
	return *a.Job, nil
}

// Get describes a job.
func (u *Jobs) Get(ctx context.Context, id job.ID) (job.Job, error) { return u.store.Job(ctx, id) }

// List gives a page of jobs, the newest first, and the token for the next; "" at the end.
func (u *Jobs) List(ctx context.Context, f job.Filter, size int, token string) ([]job.Job, string, error) {
	size, err := job.PageSize(size)
	if err != nil {
		return nil, "", err
	}
	listing := "jobs?image=" + string(f.Image)
	for _, s := range f.States {
		listing += "&state=" + string(s)
	}
	after, err := job.ReadPageToken(listing, "job_", token)
	if err != nil {
		return nil, "", err
	}
	found, err := u.store.Jobs(ctx, f, job.ID(after), size+1)
	if err != nil || len(found) <= size {
		return found, "", err
	}
	return found[:size], job.PageToken(listing, string(found[size-1].ID)), nil
}

// Cancel ends a job that has not ended. A node that works on it stops when it asks next; a result that comes before is dropped.
func (u *Jobs) Cancel(ctx context.Context, id job.ID) (job.Job, error) {
	return u.mover.move(ctx, id, func(j job.Job, now time.Time) (job.Change, error) {
		next, events, err := job.Cancel(j, now)
		return job.Change{Job: next, Events: events}, err
	})
}

// Retry queues a job again that ended without success.
func (u *Jobs) Retry(ctx context.Context, id job.ID) (job.Job, error) {
	j, err := u.mover.move(ctx, id, func(j job.Job, now time.Time) (job.Change, error) {
		next, events, err := job.Retry(j, now)
		if err != nil {
			return job.Change{}, err
		}
		outbox, err := u.mail.task(ctx, next)
		return job.Change{Job: next, Events: events, Outbox: outbox}, err
	})
	if err == nil {
		u.relay.Wake()
	}
	return j, err
}

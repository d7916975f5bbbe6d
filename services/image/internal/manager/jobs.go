package manager

import (
	"context"
	"errors"
	"fmt"
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
	wishes wishes
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
	Wishes job.Wishes
}

// Create begins a job. See the contract for its errors.
func (u *Jobs) Create(ctx context.Context, req CreateJob) (job.Job, error) {
	if err := errors.Join(req.once(), u.wishes.check(req.Wishes)); err != nil {
		return job.Job{}, err
	}
	sum, err := payload{Method: "jobs.create", Subject: string(req.Image), Work: req.Work}.digest(req.Wishes)
	if err != nil {
		return job.Job{}, err
	}
	before, err := u.desk.earlier(ctx, req.Key, sum)
	if err != nil {
		return job.Job{}, err
	}
	if before != nil {
		return u.store.Job(ctx, before.Job)
	}
	im, err := u.images.Image(ctx, req.Image)
	if err != nil {
		return job.Job{}, err
	}
	r, err := u.book.resolve(req.Work, im.Picture)
	if err != nil {
		return job.Job{}, err
	}
	a, err := u.desk.accept(ctx, Accepted{Image: im, Job: u.desk.newJob(im, r, req.Preset, req.Wishes)}, false, req.Key, sum)
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
	if f.Batch != "" || f.Tenant != "" || f.Reason != "" {
		listing += fmt.Sprintf("&batch=%s&tenant=%s&reason=%q", f.Batch, f.Tenant, f.Reason)
	}
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

// maxRedrive is how many jobs one call queues again.
const maxRedrive = 1000

// Redrive queues again up to limit jobs that ended without success and that f lets through, 0 meaning as many as one call may. It
// returns how many, and whether more may be left.
func (u *Jobs) Redrive(ctx context.Context, f job.Filter, limit int) (n int, remaining bool, _ error) {
	if limit < 0 || limit > maxRedrive {
		return 0, false, wrong("BAD_LIMIT", fault.Field{Path: "limit", Message: fmt.Sprintf("is not within 0..%d", maxRedrive)})
	}
	if limit == 0 {
		limit = maxRedrive
	}
	if len(f.States) == 0 {
		f.States = []job.State{job.Dead}
	}
	for _, s := range f.States {
		if s != job.Failed && s != job.Cancelled && s != job.Dead {
			return 0, false, wrong("BAD_STATE", fault.Field{Path: "state", Message: "is not FAILED, CANCELLED or DEAD"})
		}
	}
	errEnough := errors.New("enough")
	err := u.each(ctx, f, func(j job.Job) error {
		if n == limit {
			remaining = true
			return errEnough
		}
		_, err := u.Retry(ctx, j.ID)
		if fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) { // somebody was faster
			return nil
		}
		if err == nil {
			n++
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return n, remaining, err
}

// each shows do every job that f lets through, the newest first, until it fails. What do moves out of the filter is not missed.
func (u *Jobs) each(ctx context.Context, f job.Filter, do func(job.Job) error) error {
	for after := job.ID(""); ; {
		found, err := u.store.Jobs(ctx, f, after, job.MaxPage)
		if err != nil {
			return err
		}
		for _, j := range found {
			if err := do(j); err != nil {
				return err
			}
		}
		if len(found) < job.MaxPage {
			return nil
		}
		after = found[len(found)-1].ID
	}
}

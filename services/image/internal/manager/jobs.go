package manager

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Jobs accepts, follows and ends jobs.
type Jobs struct {
	desk     *desk
	overlays overlays
	store    job.Jobs
	images   *recent
	book     *books
	wishes   wishes
	mover    *mover
	news     *news
	mail     mail
	relay    *Relay
	poll     time.Duration
}

// CreateJob asks for a job on a registered image.
type CreateJob struct {
	Image job.ImageID
	Key   string // the idempotency key; empty means none
	Work
	Wishes job.Wishes
}

// Create begins a job. See the contract for its errors.
func (u *Jobs) Create(ctx context.Context, req CreateJob) (_ job.Job, err error) {
	defer u.desk.counts.refused(&err)
	if err := together(req.once(), u.wishes.check(req.Wishes)); err != nil {
		return job.Job{}, err
	}
	sum, err := payload{Method: "jobs.create", Subject: string(req.Image), Work: req.Work}.digest(req.Key, req.Wishes)
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
	r, err := u.book.Load().resolve(req.Work, im.Picture)
	if err == nil {
		r, err = u.overlays.fill(ctx, req.Work, r)
	}
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
	if err := u.desk.backlog.reserve(1); err != nil {
		return job.Job{}, err
	}
	j, err := u.mover.move(ctx, id, func(j job.Job, now time.Time) (job.Change, error) {
		next, events, err := job.Retry(j, now)
		if err != nil {
			return job.Change{}, err
		}
		outbox, err := u.mail.task(ctx, next)
		return job.Change{Job: next, Events: events, Outbox: outbox}, err
	})
	if err != nil {
		u.desk.backlog.free(1)
		return job.Job{}, err
	}
	u.relay.Wake(j.Class.OrNormal())
	return j, nil
}

// maxRedrive is how many jobs one call queues again.
const maxRedrive = 1000

// Redrive queues again up to limit jobs that ended without success and that f lets through, 0 meaning as many as one call may. It
// returns how many, and whether more may be left: what stops it in the middle fails the next call.
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
	retry := func(ctx context.Context, id job.ID) error { _, err := u.Retry(ctx, id); return err }
	for after := job.ID(""); ; {
		found, err := u.store.Jobs(ctx, f, after, limit-n+1) // the one too many tells whether more are left
		if err == nil {
			more := len(found) > limit-n
			found = found[:min(len(found), limit-n)]
			var done int
			done, err = each(ctx, found, retry)
			if n += done; err == nil && (n == limit || !more) {
				return n, more, nil
			}
		}
		if err != nil && n > 0 && fault.Transient(err) {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
		after = found[len(found)-1].ID
	}
}

// atOnce is how many jobs a call moves at a time: a store brings many to the disk together.
const atOnce = 16

// each does something to each of some jobs, and counts them. One that ended, was queued again or went meanwhile is left out; the first
// error keeps those away that were not begun.
func each(ctx context.Context, jobs []job.Job, do func(context.Context, job.ID) error) (int, error) {
	var n atomic.Int64
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(atOnce)
	for _, j := range jobs {
		all.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			err := do(ctx, j.ID)
			switch {
			case err == nil:
				n.Add(1)
			case fault.Is(err, fault.Conflict), fault.Is(err, fault.NotFound):
				return nil
			}
			return err
		})
	}
	err := all.Wait()
	return int(n.Load()), err
}

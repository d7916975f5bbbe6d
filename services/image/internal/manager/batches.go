package manager

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

const maxBatch = 1000 // images

// Batches accepts, follows and ends jobs by the batch.
type Batches struct {
	desk     *desk
	overlays overlays
	store    job.Batches
	jobs     *Jobs
	images   job.Images
	book     *books
	wishes   wishes
	poll     time.Duration
}

// CreateBatch asks for a job on each of some images.
type CreateBatch struct {
	Images []job.ImageID
	Key    string // the idempotency key; empty means none
	Work
	Wishes job.Wishes
}

// Create begins a batch. See the contract for its errors.
func (u *Batches) Create(ctx context.Context, req CreateBatch) (_ job.Batch, err error) {
	defer u.desk.counts.refused(&err)
	most := min(maxBatch, int(u.desk.backlog.limit.Load())) // more would never be taken
	if err := together(distinct(req.Images, most), req.once(), u.wishes.check(req.Wishes)); err != nil {
		return job.Batch{}, err
	}
	req.Wishes.Unique = false // as the contract has it
	subject := make([]string, len(req.Images))
	for i, id := range req.Images {
		subject[i] = string(id)
	}
	sum, err := payload{Method: "batches.create", Subject: strings.Join(subject, ","), Work: req.Work}.digest(req.Key, req.Wishes)
	if err != nil {
		return job.Batch{}, err
	}
	before, err := u.desk.earlier(ctx, req.Key, sum)
	if err != nil {
		return job.Batch{}, err
	}
	if before != nil {
		return u.store.Batch(ctx, before.Batch)
	}
	book := u.book.Load()
	if _, err := book.check(req.Work); err != nil {
		return job.Batch{}, err
	}
	jobs, err := u.plan(ctx, book, req)
	if err != nil {
		return job.Batch{}, err
	}
	id, err := u.desk.acceptBatch(ctx, jobs, req.Wishes.Tenant, req.Key, sum)
	if err != nil {
		return job.Batch{}, err
	}
	return u.store.Batch(ctx, id)
}

// plan resolves the work for each image, and names all that are not there at once.
func (u *Batches) plan(ctx context.Context, book *book, req CreateBatch) ([]job.Job, error) {
	images, err := u.images.Those(ctx, req.Images)
	if err != nil {
		return nil, err
	}
	jobs := make([]job.Job, len(req.Images))
	resolved := map[recipe.Source]recipe.Recipe{} // many are alike
	missing := fault.New(fault.NotFound, "IMAGE_NOT_FOUND", "some of the images are not there; nothing was begun")
	for i, id := range req.Images {
		im, there := images[id]
		if !there {
			missing.Fields = append(missing.Fields, fault.Field{Path: fmt.Sprintf("image_ids[%d]", i), Message: fmt.Sprintf("there is no image %.40q", id)})
			continue
		}
		r, known := resolved[source(im.Picture)]
		if !known {
			r, err = book.resolve(req.Work, im.Picture)
			if err == nil {
				r, err = u.overlays.fill(ctx, req.Work, r)
			}
			if err != nil {
				if f := fault.As(err); f != nil { // what is wrong for any picture was found before
					f.Message += fmt.Sprintf(" for image_ids[%d]", i)
				}
				return nil, err
			}
			resolved[source(im.Picture)] = r
		}
		jobs[i] = *u.desk.newJob(im, r, req.Preset, req.Wishes)
	}
	if len(missing.Fields) > 0 {
		return nil, missing
	}
	return jobs, nil
}

func distinct(ids []job.ImageID, most int) error {
	if len(ids) == 0 || len(ids) > most {
		return wrong("BAD_BATCH", fault.Field{Path: "image_ids", Message: fmt.Sprintf("names %d images, not 1..%d", len(ids), most)})
	}
	seen := map[job.ImageID]int{}
	var fields []fault.Field
	for i, id := range ids {
		if before, twice := seen[id]; twice {
			fields = append(fields, fault.Field{Path: fmt.Sprintf("image_ids[%d]", i), Message: fmt.Sprintf("is the same as image_ids[%d]", before)})
			continue
		}
		seen[id] = i
	}
	if len(fields) == 0 {
		return nil
	}
	return wrong("BAD_BATCH", fields...)
}

// Get describes a batch.
func (u *Batches) Get(ctx context.Context, id job.BatchID) (job.Batch, error) {
	return u.store.Batch(ctx, id)
}

// Cancel ends those of its jobs that have not ended.
func (u *Batches) Cancel(ctx context.Context, id job.BatchID) (job.Batch, error) {
	if _, err := u.store.Batch(ctx, id); err != nil {
		return job.Batch{}, err
	}
	unfinished := job.Filter{Batch: id, States: []job.State{job.Scheduled, job.Queued, job.Running}}
	cancel := func(ctx context.Context, id job.ID) error { _, err := u.jobs.Cancel(ctx, id); return err }
	found, err := u.jobs.store.Jobs(ctx, unfinished, "", maxBatch)
	if err == nil {
		_, err = each(ctx, found, cancel)
	}
	if err != nil {
		return job.Batch{}, err
	}
	return u.store.Batch(ctx, id)
}

// Watch gives send the batch as it stands, and again when it has changed, at every poll at most, until its jobs have ended.
func (u *Batches) Watch(ctx context.Context, id job.BatchID, send func(job.Batch) error) error {
	poll := time.NewTicker(u.poll)
	defer poll.Stop()
	for last := (job.Batch{}); ; {
		b, err := u.store.Batch(ctx, id)
		if err != nil {
			return err
		}
		if b.Percent != last.Percent || !b.Updated.Equal(last.Updated) || !maps.Equal(b.Counts, last.Counts) {
			if err := send(b); err != nil {
				return err
			}
			last = b
		}
		if b.Ended() {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

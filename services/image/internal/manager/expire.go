package manager

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const expireBatch = 100

// Mortal is what the expirer needs of a store.
type Mortal interface {
	Expired(ctx context.Context, now time.Time, limit int) ([]job.ImageID, []job.ID, error)
	Forget(ctx context.Context, id job.ImageID) ([]job.ID, error)
	Drop(ctx context.Context, id job.ID) error
}

// Expirer forgets the images and drops the jobs whose time to live is over. Their bytes are the collector's business. Running it twice
// at a time does no harm.
type Expirer struct {
	store  Mortal
	news   *news
	now    func() time.Time
	counts *Counts
	log    *slog.Logger
}

// Round removes all that have expired by now.
func (e *Expirer) Round(ctx context.Context) error {
	for {
		images, jobs, err := e.store.Expired(ctx, e.now(), expireBatch)
		if err != nil {
			return err
		}
		var errs []error
		for _, id := range images {
			errs = append(errs, e.forget(ctx, id))
		}
		for _, id := range jobs {
			errs = append(errs, e.drop(ctx, id))
		}
		if err := errors.Join(errs...); err != nil || len(images) < expireBatch && len(jobs) < expireBatch {
			return err
		}
	}
}

// forget ends an image as a caller's deletion does.
func (e *Expirer) forget(ctx context.Context, id job.ImageID) error {
	cancelled, err := e.store.Forget(ctx, id)
	if err != nil {
		return err
	}
	for _, j := range cancelled {
		e.news.tell(j)
	}
	e.counts.keep(imageExpired, 1)
	e.log.DebugContext(ctx, "an image has expired", "image", string(id), "cancelled", len(cancelled))
	return nil
}

func (e *Expirer) drop(ctx context.Context, id job.ID) error {
	err := e.store.Drop(ctx, id)
	switch {
	case err == nil:
		e.counts.keep(jobExpired, 1)
	case fault.Is(err, fault.Conflict): // it was queued again in this moment, and begins a new life
		return nil
	}
	return err
}

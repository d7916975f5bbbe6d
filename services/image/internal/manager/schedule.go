package manager

import (
	"context"
	"errors"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const scheduleBatch = 100

// Calendar is what the scheduler needs of a store.
type Calendar interface {
	Due(ctx context.Context, now time.Time, limit int) ([]job.ID, error)
}

// Scheduler queues the jobs whose time has come. Running it twice at a time does no harm: a job is released once.
type Scheduler struct {
	store  Calendar
	mover  *mover
	mail   mail
	relay  *Relay
	now    func() time.Time
	counts *Counts
}

// Round releases all that are due by now.
func (s *Scheduler) Round(ctx context.Context) error {
	for {
		due, err := s.store.Due(ctx, s.now(), scheduleBatch)
		if err != nil {
			return err
		}
		released := 0
		var errs []error
		for _, id := range due {
			did, err := s.release(ctx, id)
			if did {
				released++
			}
			errs = append(errs, err)
		}
		if released > 0 {
			s.counts.keep(jobReleased, released)
			s.relay.Wake()
		}
		if err := errors.Join(errs...); err != nil || released == 0 || len(due) < scheduleBatch {
			return err
		}
	}
}

func (s *Scheduler) release(ctx context.Context, id job.ID) (did bool, err error) {
	_, err = s.mover.move(ctx, id, func(j job.Job, now time.Time) (job.Change, error) {
		next, events := job.Release(j, now)
		if did = len(events) > 0; !did { // cancelled, or released by somebody else
			return job.Change{Job: j}, nil
		}
		outbox, err := s.mail.task(ctx, next)
		return job.Change{Job: next, Events: events, Outbox: outbox}, err
	})
	if fault.Is(err, fault.NotFound) { // its image was forgotten
		return false, nil
	}
	return did && err == nil, err
}

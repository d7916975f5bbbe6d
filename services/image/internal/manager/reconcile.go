package manager

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"calotype/kit/logging"
	"calotype/services/image/internal/job"
)

const reconcileBatch = 100

// Keeper is what the reconciler needs of a store.
type Keeper interface {
	Stale(ctx context.Context, since time.Time, limit int) ([]job.ID, error)
	Expire(ctx context.Context, now time.Time) error
}

// Reconciler finds jobs that no message will move any more and queues them again, and removes what has expired. Running it twice at a
// time does no harm: the second finds what the first touched no longer stale, and a task that the queue still has is not
// queued twice.
type Reconciler struct {
	store Keeper
	queue job.Queue
	mover *mover
	mail  mail
	relay *Relay
	cfg   Config
	now   func() time.Time
	log   *slog.Logger
}

// Round looks through the store one time.
func (r *Reconciler) Round(ctx context.Context) error {
	_, err := r.Once(ctx)
	return err
}

// Once looks through the store one time and returns how many jobs it moved.
func (r *Reconciler) Once(ctx context.Context) (int, error) {
	if err := r.store.Expire(ctx, r.now()); err != nil {
		return 0, err
	}
	if waits, err := r.queueWaits(ctx); err != nil || waits {
		return 0, err
	}
	since := r.now().Add(-r.cfg.ReconcileAfter)
	moved := 0
	for {
		stale, err := r.store.Stale(ctx, since, reconcileBatch)
		if err != nil {
			return moved, err
		}
		n := 0
		var errs []error
		for _, id := range stale {
			did, err := r.requeue(ctx, id, since)
			errs = append(errs, err)
			if did {
				n++
			}
		}
		if n > 0 {
			r.relay.Wake()
		}
		moved += n
		if err := errors.Join(errs...); err != nil || n == 0 || len(stale) < reconcileBatch {
			return moved, err
		}
	}
}

// queueWaits reports whether messages stand in line for so long that a job may well be untouched because its message does.
func (r *Reconciler) queueWaits(ctx context.Context) (bool, error) {
	for _, topic := range []string{job.Tasks, job.Reports, job.DeadTasks} {
		depth, err := r.queue.Depth(ctx, topic)
		if err != nil {
			return false, err
		}
		if depth.Oldest >= r.cfg.ReconcileAfter {
			return true, nil
		}
	}
	return false, nil
}

func (r *Reconciler) requeue(ctx context.Context, id job.ID, since time.Time) (did bool, err error) {
	j, err := r.mover.move(ctx, id, func(j job.Job, now time.Time) (job.Change, error) {
		did = false
		if !j.Updated.Before(since) { // somebody was faster
			return job.Change{Job: j}, nil
		}
		next, events := job.Requeue(j, r.cfg.ReconcileLimit, now)
		c := job.Change{Job: next, Events: events}
		did = len(events) > 0
		if next.State == job.Queued {
			outbox, err := r.mail.task(ctx, next)
			c.Outbox = outbox
			return c, err
		}
		return c, nil
	})
	if did && err == nil {
		r.log.WarnContext(logging.WithJob(ctx, string(id)), "nothing moved a job any more", "state", string(j.State), "requeues", j.Requeues)
	}
	return did && err == nil, err
}

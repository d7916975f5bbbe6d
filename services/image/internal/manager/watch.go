package manager

import (
	"context"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const watchPage = 100 // events read at once

// Watch gives send each event of a job after a sequence, then each that happens, in order and without gaps, and returns nil after the
// one that ended the job. What this process does is heard at once, what other managers do at the next poll. A job that
// is forgotten meanwhile ends as cancelled. It returns send's error, the context's, and fault.NotFound.
func (u *Jobs) Watch(ctx context.Context, id job.ID, after int64, send func(job.Event) error) error {
	heard, leave := u.news.follow(id)
	defer leave()
	poll := time.NewTicker(u.poll)
	defer poll.Stop()
	known := false
	for {
		// The job is read before its events: if it has ended, all its events are there.
		j, err := u.store.Job(ctx, id)
		if known && err != nil && fault.Is(err, fault.NotFound) {
			return send(forgotten(id, after))
		}
		if err != nil {
			return err
		}
		known = true
		events, err := u.store.Events(ctx, id, after, watchPage)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := send(e); err != nil {
				return err
			}
			after = e.Sequence
		}
		switch {
		case len(events) == watchPage:
			continue
		case len(events) > 0 && events[len(events)-1].State.Ended():
			return nil
		case len(events) == 0 && j.State.Ended():
			return nil
		}
		select {
		case <-heard:
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// forgotten is the event that no store has any more.
func forgotten(id job.ID, after int64) job.Event {
	return job.Event{Job: id, Sequence: after + 1, Time: time.Now().UTC(), State: job.Cancelled,
		Failure: &job.Failure{Reason: "IMAGE_DELETED", Message: "the image was deleted, and the job with it"}}
}

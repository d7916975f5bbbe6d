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
		j, err := u.store.Job(ctx, id)
		if known && err != nil && fault.Is(err, fault.NotFound) {
			return send(forgotten(id, after))
		}
		if err != nil {
			return err
		}
		known = true
		var last job.Event
		n := 0
		if j.Sequence > after {
			events, err := u.store.Events(ctx, id, after, watchPage)
			if err != nil {
				return err
			}
			for _, last = range events {
				if err := send(last); err != nil {
					return err
				}
				after = last.Sequence
			}
			n = len(events)
		} else if j.State.Ended() {
			return nil
		}
		switch {
		case n == watchPage:
			continue
		case last.State.Ended():
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

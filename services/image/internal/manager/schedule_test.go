package manager_test

import (
	"sync"
	"testing"
	"time"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

func scheduled(at time.Time) manager.CreateImage {
	req := thumb()
	req.Wishes.NotBefore = at
	return req
}

func TestScheduledJobsWaitForTheirTime(t *testing.T) {
	c := &clock{}
	w := begin(t, func(s *setting) { s.parts.Now = c.now })
	w.node(succeed)
	var soon []job.ID
	for range 120 { // more than the scheduler takes at once
		soon = append(soon, w.create(scheduled(c.now().Add(time.Hour))).Job.ID)
	}
	later, cancelled := w.create(scheduled(c.now().Add(3*time.Hour))), w.create(scheduled(c.now().Add(time.Hour)))
	if _, err := w.Jobs.Cancel(t.Context(), cancelled.Job.ID); err != nil {
		t.Fatal(err)
	}
	w.round(w.Scheduler)
	if n := w.tally("job_released"); n != 0 {
		t.Errorf("%d jobs were released before their time", n)
	}

	c.forward(2 * time.Hour)
	var wg sync.WaitGroup
	for range 3 { // of which each job needs one
		wg.Go(func() {
			if err := w.Scheduler.Round(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range soon {
		j, story := w.ended(id)
		if j.State != job.Succeeded || j.Attempts != 1 || story[0].State != job.Scheduled {
			t.Fatalf("ended as %+v after %v", j, story)
		}
		wantStory(t, story[1:], job.Succeeded)
	}
	if n := w.tally("job_released"); n != len(soon) {
		t.Errorf("%d jobs were released, want %d", n, len(soon))
	}
	for id, want := range map[job.ID]job.State{later.Job.ID: job.Scheduled, cancelled.Job.ID: job.Cancelled} {
		if j, err := w.Jobs.Get(t.Context(), id); err != nil || j.State != want {
			t.Errorf("%s is %s, %v, want %s", id, j.State, err, want)
		}
	}
	w.settle()
}

// What happens to a job between the look and its release is respected.
func TestScheduledJobsThatGoMeanwhile(t *testing.T) {
	c, late := &clock{}, &between{happen: func() {}}
	w := begin(t, still, func(s *setting) { s.parts.Now, s.parts.Store = c.now, late })
	due := c.now().Add(time.Minute)
	deleted, cancelled, stays := w.create(scheduled(due)), w.create(scheduled(due)), w.create(scheduled(due))
	c.forward(time.Hour)
	late.happen = func() {
		late.happen = func() {}
		if err := w.Images.Delete(t.Context(), deleted.Image.ID); err != nil {
			t.Error(err)
		}
		if _, err := w.Jobs.Cancel(t.Context(), cancelled.Job.ID); err != nil {
			t.Error(err)
		}
	}
	w.round(w.Scheduler)
	for id, want := range map[job.ID]job.State{cancelled.Job.ID: job.Cancelled, stays.Job.ID: job.Queued} {
		if j, err := w.Jobs.Get(t.Context(), id); err != nil || j.State != want {
			t.Errorf("%s is %s, %v, want %s", id, j.State, err, want)
		}
	}
	if census, err := w.store.Census(t.Context()); err != nil || census.Outbox != 1 || w.tally("job_released") != 1 {
		t.Errorf("%d messages, %d released, %v; want one", census.Outbox, w.tally("job_released"), err)
	}
}

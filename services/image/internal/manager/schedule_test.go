package manager_test

import (
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

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
	a := w.create(scheduled(c.now().Add(time.Hour)))
	w.round(w.Scheduler)
	if j, err := w.Jobs.Get(t.Context(), a.Job.ID); err != nil || j.State != job.Scheduled {
		t.Errorf("before its time it is %s, %v", j.State, err)
	}
	c.forward(2 * time.Hour)
	w.round(w.Scheduler)
	j, story := w.ended(a.Job.ID)
	if j.State != job.Succeeded || j.Attempts != 1 || story[0].State != job.Scheduled {
		t.Fatalf("ended as %+v after %v", j, story)
	}
	wantStory(t, story[1:], job.Succeeded)
	w.settle()
}

// Several who look at once, and more jobs than one look finds: each job is released once, those that are due only.
func TestJobsAreReleasedOnce(t *testing.T) {
	c := &clock{}
	w := begin(t, still, func(s *setting) { s.parts.Now = c.now })
	const due = 110
	w.createMany(due, scheduled(c.now().Add(time.Hour)))
	w.createMany(10, scheduled(c.now().Add(3*time.Hour)))
	w.round(w.Scheduler)
	if n := w.tally("job_released"); n != 0 {
		t.Errorf("%d jobs were released before their time", n)
	}
	c.forward(2 * time.Hour)
	var g errgroup.Group
	for range 3 {
		g.Go(func() error { return w.Scheduler.Round(t.Context()) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	census, err := w.store.Census(t.Context())
	if err != nil || census.Outbox != due || census.Jobs[job.Queued] != due || census.Jobs[job.Scheduled] != 10 || w.tally("job_released") != due {
		t.Errorf("%d were released: %+v, %v", w.tally("job_released"), census, err)
	}
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

package manager_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/recipe"
)

func TestJobsCreate(t *testing.T) {
	w := begin(t)
	w.node(succeed)
	im := w.create(manager.CreateImage{}).Image
	r := recipe.Recipe{Variants: []recipe.Variant{{Name: "small", Steps: []recipe.Step{recipe.Resize{Width: 10}}}}}
	j, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: im.ID, Work: manager.Work{Recipe: &r, Variants: []string{"other:w_20"}}, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if names := []string{j.Recipe.Variants[0].Name, j.Recipe.Variants[1].Name}; !slices.Equal(names, []string{"small", "other"}) || j.Original != im.Digest {
		t.Errorf("made %+v", j)
	}
	if out := j.Recipe.Variants[0].Output; out.Format != recipe.JPEG || out.Quality != 80 {
		t.Errorf("defaults are not filled in: %+v", out)
	}
	if done, _ := w.ended(j.ID); done.State != job.Succeeded {
		t.Errorf("ended as %s", done.State)
	}
	again, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: im.ID, Work: manager.Work{Recipe: &r, Variants: []string{"other:w_20"}}, Key: "k"})
	if err != nil || again.ID != j.ID || again.State != job.Succeeded {
		t.Errorf("again: %+v, %v", again, err)
	}
	for name, work := range map[string]manager.Work{"nothing": {}, "preset and variants": {Preset: "web", Variants: []string{"a:w_1"}}} {
		_, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: im.ID, Work: work})
		wantFault(t, name, err, fault.Invalid, "BAD_RECIPE")
	}
	_, err = w.Jobs.Create(t.Context(), manager.CreateJob{Image: "img_none", Work: manager.Work{Preset: "web"}})
	wantFault(t, "no image", err, fault.NotFound, "IMAGE_NOT_FOUND")
}

// A result that comes after the cancellation is dropped, and so is one of the run before a retry.
func TestCancelRetryAndLateResults(t *testing.T) {
	w := begin(t)
	began, goOn := make(chan struct{}, 1), make(chan struct{})
	w.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		if task.Run == 1 {
			tell(job.Report{Kind: job.Began})
			began <- struct{}{}
			<-goOn
		}
		return succeed(d, task, tell)
	})
	a := w.create(thumb())
	<-began
	eventually(t, "the job runs", func() bool {
		j, err := w.Jobs.Get(t.Context(), a.Job.ID)
		return err == nil && j.State == job.Running
	})
	_, err := w.Jobs.Retry(t.Context(), a.Job.ID)
	wantFault(t, "retrying what runs", err, fault.Conflict, "JOB_NOT_ENDED")
	j, err := w.Jobs.Cancel(t.Context(), a.Job.ID)
	if err != nil || j.State != job.Cancelled {
		t.Fatalf("cancelled: %+v, %v", j, err)
	}
	if again, err := w.Jobs.Cancel(t.Context(), a.Job.ID); err != nil || again.Sequence != j.Sequence {
		t.Errorf("cancelled again: %+v, %v", again, err)
	}
	close(goOn)
	w.settle()
	if late, _ := w.ended(a.Job.ID); late.State != job.Cancelled || late.Sequence != j.Sequence || late.Results != nil {
		t.Errorf("a late result made it %+v", late)
	}

	if j, err = w.Jobs.Retry(t.Context(), a.Job.ID); err != nil || j.State != job.Queued || j.Run != 2 {
		t.Fatalf("retried: %+v, %v", j, err)
	}
	if j, _ = w.ended(a.Job.ID); j.State != job.Succeeded || j.Run != 2 || j.Attempts != 1 {
		t.Errorf("the retry ended as %+v", j)
	}
	_, err = w.Jobs.Retry(t.Context(), a.Job.ID)
	wantFault(t, "retrying what succeeded", err, fault.Conflict, "JOB_SUCCEEDED")
	_, err = w.Jobs.Cancel(t.Context(), a.Job.ID)
	wantFault(t, "cancelling what succeeded", err, fault.Conflict, "JOB_ENDED")
	_, err = w.Jobs.Cancel(t.Context(), "job_none")
	wantFault(t, "cancelling nothing", err, fault.NotFound, "JOB_NOT_FOUND")
}

// clock is the time in a test's world.
type clock struct {
	mu  sync.Mutex
	add time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.add)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add += d
}

func TestReconciler(t *testing.T) {
	c := &clock{}
	w := begin(t, func(s *setting) {
		s.parts.Now = c.now
		s.cfg.ReconcileEvery, s.cfg.ReconcileLimit = time.Hour, 2
	})
	stop := w.node(func(job.Delivery, job.Task, func(job.Report)) job.Verdict { return job.Done() }) // it swallows tasks
	a, b := w.create(thumb()), w.create(thumb())
	swallowed := func() bool {
		census, err := w.store.Census(t.Context())
		d, err2 := w.queue.Depth(t.Context(), job.Tasks)
		return err == nil && err2 == nil && census.Outbox == 0 && d.Ready+d.Leased == 0
	}
	eventually(t, "the tasks are swallowed", swallowed)
	if n, err := w.Reconciler.Once(t.Context()); n != 0 || err != nil {
		t.Errorf("too early it moved %d, %v", n, err)
	}
	c.forward(6 * time.Minute)

	// Many at once, the one in the background among them, move each job once.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := w.Reconciler.Once(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range []job.ID{a.Job.ID, b.Job.ID} {
		if j, err := w.Jobs.Get(t.Context(), id); err != nil || j.Requeues != 1 {
			t.Errorf("%s was queued again %d times, %v", id, j.Requeues, err)
		}
	}
	eventually(t, "swallowed again", swallowed)
	if _, err := w.Jobs.Cancel(t.Context(), b.Job.ID); err != nil {
		t.Fatal(err)
	}
	c.forward(6 * time.Minute)
	stop()
	w.node(succeed)
	if _, err := w.Reconciler.Once(t.Context()); err != nil {
		t.Error(err)
	}
	j, story := w.ended(a.Job.ID)
	if j.State != job.Succeeded || j.Run != 1 || j.Requeues != 2 {
		t.Errorf("ended as %+v after %v", j, story)
	}
}

func TestReconcilerGivesUp(t *testing.T) {
	c := &clock{}
	w := begin(t, func(s *setting) {
		s.parts.Now = c.now
		s.cfg.ReconcileEvery, s.cfg.ReconcileLimit = time.Hour, 1
	})
	w.node(func(job.Delivery, job.Task, func(job.Report)) job.Verdict { return job.Done() })
	a := w.create(thumb())
	for range 2 {
		w.settleOutbox()
		c.forward(6 * time.Minute)
		if _, err := w.Reconciler.Once(t.Context()); err != nil { // the one that runs beside may have been faster
			t.Fatal(err)
		}
	}
	if j, _ := w.ended(a.Job.ID); j.State != job.Dead || j.Failure.Reason != job.ReasonLost {
		t.Errorf("ended as %+v, %+v", j, j.Failure)
	}
}

func (w *world) settleOutbox() {
	eventually(w.t, "the outbox is empty", func() bool {
		c, err := w.store.Census(w.t.Context())
		return err == nil && c.Outbox == 0
	})
	w.settle()
}

// While messages stand in line for long, jobs are untouched because they wait, not because they are lost.
func TestReconcilerLeavesALongLineAlone(t *testing.T) {
	w := begin(t, still, func(s *setting) { s.cfg.ReconcileAfter = 10 * time.Millisecond })
	a := w.create(thumb())
	if _, err := w.store.Relay(t.Context(), job.Normal, 10, func(ctx context.Context, out []job.Outgoing) error {
		return w.queue.Publish(ctx, out[0].Topic, out[0].Message)
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the task stands in line", func() bool {
		d, err := w.queue.Depth(t.Context(), job.Tasks)
		return err == nil && d.Oldest > 10*time.Millisecond
	})
	if n, err := w.Reconciler.Once(t.Context()); n != 0 || err != nil {
		t.Errorf("moved %d, %v", n, err)
	}
	if j, err := w.Jobs.Get(t.Context(), a.Job.ID); err != nil || j.Sequence != 1 {
		t.Errorf("the job is %+v, %v", j, err)
	}
}

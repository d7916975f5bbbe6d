package manager_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

// createMany creates at once, for the store brings many to the disk together.
func (w *world) createMany(n int, req manager.CreateImage) {
	w.t.Helper()
	var g errgroup.Group
	req.Digest = digest(1)
	for range n {
		g.Go(func() error {
			_, err := w.Images.Create(w.t.Context(), req)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		w.t.Fatalf("creating %d: %v", n, err)
	}
}

func TestWhatHasExpiredGoes(t *testing.T) {
	c := &clock{}
	w := begin(t, func(s *setting) { s.parts.Now = c.now })
	w.node(succeed)
	req := thumb()
	req.Wishes.Keep = time.Hour
	const many = 110 // more than the expirer takes at once
	w.createMany(many, manager.CreateImage{Keep: 3 * time.Hour})
	short, lasting := w.create(req), w.create(manager.CreateImage{})
	w.ended(short.Job.ID)
	w.round(w.Expirer)
	if w.tally("image_expired")+w.tally("job_expired") != 0 {
		t.Error("something expired before its time")
	}

	c.forward(2 * time.Hour)
	w.round(w.Expirer)
	_, err := w.Jobs.Get(t.Context(), short.Job.ID)
	wantFault(t, "an expired job", err, fault.NotFound, "JOB_NOT_FOUND")
	_, err = w.Images.Variant(t.Context(), short.Image.ID, "thumb")
	wantFault(t, "its result", err, fault.NotFound, "VARIANT_NOT_FOUND")

	c.forward(2 * time.Hour)
	w.round(w.Expirer)
	left, _, err := w.Images.List(t.Context(), 200, "")
	if err != nil || len(left) != 2 || left[0].ID != lasting.Image.ID || left[1].ID != short.Image.ID {
		t.Errorf("%d images are left, %v; want the two that were given no time", len(left), err)
	}
	if w.tally("image_expired") != many || w.tally("job_expired") != 1 {
		t.Errorf("the tally says %d images, %d jobs", w.tally("image_expired"), w.tally("job_expired"))
	}
}

// An image takes its jobs along when it expires, and who watches one hears of it.
func TestWatchersHearOfAnExpiredImage(t *testing.T) {
	c := &clock{}
	w := begin(t, still, func(s *setting) {
		s.parts.Now = c.now
		s.cfg.WatchPoll = time.Hour
	})
	req := thumb()
	req.Keep = time.Hour
	a := w.create(req)
	seen, over := make(chan struct{}, 9), make(chan error, 1)
	go func() {
		over <- w.Jobs.Watch(t.Context(), a.Job.ID, 0, func(job.Event) error { seen <- struct{}{}; return nil })
	}()
	<-seen
	c.forward(2 * time.Hour)
	w.round(w.Expirer)
	select {
	case err := <-over:
		t.Logf("the watcher was told: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("the watcher waits for a job that is gone")
	}
}

// between lets something happen behind each look for what is to be done.
type between struct {
	job.Store
	happen func()
}

func (b *between) over(real job.Store) { b.Store = real }

func (b *between) Expired(ctx context.Context, now time.Time, limit int) ([]job.ImageID, []job.ID, error) {
	defer b.happen()
	return b.Store.Expired(ctx, now, limit)
}

func (b *between) Due(ctx context.Context, now time.Time, limit int) ([]job.ID, error) {
	defer b.happen()
	return b.Store.Due(ctx, now, limit)
}

func TestAJobThatIsTriedAgainDoesNotExpire(t *testing.T) {
	c, late := &clock{}, &between{happen: func() {}}
	w := begin(t, still, func(s *setting) { s.parts.Now, s.parts.Store = c.now, late })
	req := thumb()
	req.Wishes.Keep = time.Hour
	a := w.create(req)
	if _, err := w.Jobs.Cancel(t.Context(), a.Job.ID); err != nil {
		t.Fatal(err)
	}
	c.forward(2 * time.Hour)
	late.happen = func() {
		late.happen = func() {}
		if _, err := w.Jobs.Retry(t.Context(), a.Job.ID); err != nil {
			t.Error(err)
		}
	}
	w.round(w.Expirer)
	if j, err := w.Jobs.Get(t.Context(), a.Job.ID); err != nil || j.State != job.Queued || w.tally("job_expired") != 0 {
		t.Errorf("the job is %+v, %v", j, err)
	}
}

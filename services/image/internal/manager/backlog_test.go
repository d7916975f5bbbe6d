package manager_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

// full is a world whose queue is away and whose backlog is full.
func full(t *testing.T, limit int) (*world, *shakyQueue, []job.ID) {
	t.Helper()
	q := &shakyQueue{}
	q.away.Store(true)
	w := begin(t, func(s *setting) {
		s.parts.Queue = q
		s.cfg.Backlog = limit
	})
	var accepted []job.ID
	for range limit {
		accepted = append(accepted, w.create(thumb()).Job.ID)
	}
	eventually(t, "no more is accepted", func() bool { // a look may have come between
		req := thumb()
		req.Digest = digest(1)
		a, err := w.Images.Create(t.Context(), req)
		if err == nil {
			accepted = append(accepted, a.Job.ID)
		}
		return err != nil
	})
	return w, q, accepted
}

// While the queue is away, as much is accepted as the backlog holds, then nothing that needs the queue, until it is back. Nothing of
// what was accepted is lost.
func TestTheBacklogHasALimit(t *testing.T) {
	w, q, accepted := full(t, 20)
	if len(accepted) > 25 {
		t.Errorf("%d were accepted, want about 20", len(accepted))
	}
	req := thumb()
	req.Digest, req.Key = digest(2), "again"
	_, err := w.Images.Create(t.Context(), req)
	wantFault(t, "one more", err, fault.Unavailable, "BACKLOG_FULL")
	if f := fault.As(err); f == nil || f.RetryAfter != 5*time.Second {
		t.Errorf("it does not say when to come back: %+v", f)
	}
	if all, _, err := w.Images.List(t.Context(), 1000, ""); err != nil || len(all) != len(accepted) {
		t.Errorf("%d images are there, %v, want %d: what is refused leaves nothing", len(all), err, len(accepted))
	}

	// What needs no queue is taken all the same: images alone, jobs that wait for their time, and answers that were given before.
	bare := w.create(manager.CreateImage{Digest: digest(3)})
	later := thumb()
	later.Wishes.NotBefore = time.Now().Add(time.Hour)
	if a := w.create(later); a.Job.State != job.Scheduled {
		t.Errorf("the scheduled job is %s", a.Job.State)
	}
	work := manager.Work{Preset: "thumb"}
	_, err = w.Jobs.Create(t.Context(), manager.CreateJob{Image: bare.Image.ID, Work: work})
	wantFault(t, "a job", err, fault.Unavailable, "BACKLOG_FULL")
	_, err = w.Batches.Create(t.Context(), manager.CreateBatch{Images: []job.ImageID{bare.Image.ID}, Work: work})
	wantFault(t, "a batch", err, fault.Unavailable, "BACKLOG_FULL")
	if _, err := w.Jobs.Cancel(t.Context(), accepted[0]); err != nil {
		t.Errorf("cancelling: %v", err)
	}
	_, err = w.Jobs.Retry(t.Context(), accepted[0])
	wantFault(t, "a retry", err, fault.Unavailable, "BACKLOG_FULL")
	_, _, err = w.Jobs.Redrive(t.Context(), job.Filter{States: []job.State{job.Cancelled}}, 0)
	wantFault(t, "redriving", err, fault.Unavailable, "BACKLOG_FULL")

	w.node(succeed)
	q.away.Store(false)
	for _, id := range accepted[1:] {
		if j, _ := w.ended(id); j.State != job.Succeeded {
			t.Errorf("%s ended as %s", id, j.State)
		}
	}
	eventually(t, "jobs are accepted again", func() bool {
		_, err := w.Images.Create(t.Context(), req)
		return err == nil
	})
	if j, err := w.Jobs.Retry(t.Context(), accepted[0]); err != nil || j.State != job.Queued {
		t.Errorf("the retry: %+v, %v", j, err)
	}
	w.ended(accepted[0])
}

// stuckQueue takes no message and gives no answer either.
type stuckQueue struct {
	job.Queue
	stuck chan struct{}
	asked atomic.Int64
}

func (q *stuckQueue) over(real job.Queue) { q.Queue = real }

func (q *stuckQueue) Publish(ctx context.Context, _ string, _ ...job.Message) error {
	q.asked.Add(1)
	select {
	case <-q.stuck:
	case <-ctx.Done():
	}
	return fault.New(fault.Unavailable, "QUEUE_AWAY", "no")
}

// Accepting never waits for the queue.
func TestAcceptingWaitsForNoQueue(t *testing.T) {
	q := &stuckQueue{stuck: make(chan struct{})}
	w := begin(t, func(s *setting) { s.parts.Queue = q })
	defer close(q.stuck)
	first := w.create(thumb())
	eventually(t, "the relay is stuck", func() bool { return q.asked.Load() > 0 })
	w.createMany(50, thumb())
	if j, err := w.Jobs.Get(t.Context(), first.Job.ID); err != nil || j.State != job.Queued {
		t.Errorf("%+v, %v", j, err)
	}
}

// Many at once do not slip past the limit together, and what failed to be kept leaves its room to others.
func TestTheLimitHoldsForManyAtOnce(t *testing.T) {
	const limit = 30
	w := begin(t, still, func(s *setting) { s.cfg.Backlog = limit })
	im := w.create(manager.CreateImage{}).Image
	var accepted, refused atomic.Int64
	var g errgroup.Group
	post := func(n int, req manager.CreateJob) {
		for range n {
			g.Go(func() error {
				_, err := w.Jobs.Create(t.Context(), req)
				switch {
				case err == nil:
					accepted.Add(1)
				case fault.ReasonOf(err) == "BACKLOG_FULL":
					refused.Add(1)
				default:
					return err
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	// Those under one key take one place in the end, however many there are.
	post(20, manager.CreateJob{Image: im.ID, Key: "k", Work: manager.Work{Preset: "thumb"}})
	if accepted.Load() != 20 {
		t.Errorf("%d of 20 under one key were accepted", accepted.Load())
	}
	accepted.Store(0)
	post(100, manager.CreateJob{Image: im.ID, Work: manager.Work{Preset: "thumb"}})
	if accepted.Load() != limit-1 || refused.Load() != 100-limit+1 {
		t.Errorf("%d were accepted, %d refused, want %d", accepted.Load(), refused.Load(), limit-1)
	}
	if n, err := w.store.Backlog(t.Context()); err != nil || n != limit {
		t.Errorf("%d wait, %v", n, err)
	}
}

// unkept is a store that keeps nothing for a while.
type unkept struct {
	job.Store
	away atomic.Bool
}

func (s *unkept) over(real job.Store) { s.Store = real }

func (s *unkept) Commit(ctx context.Context, c job.Commit) (job.Receipt, error) {
	if s.away.Load() {
		return job.Receipt{}, fault.New(fault.Unavailable, "STORE_AWAY", "no")
	}
	return s.Store.Commit(ctx, c)
}

// What the store did not keep takes no room.
func TestAStoreThatIsAwayFillsNoBacklog(t *testing.T) {
	s := &unkept{}
	w := begin(t, still, func(set *setting) {
		set.parts.Store = s
		set.cfg.Backlog = 3
	})
	ids := w.images(3)
	s.away.Store(true)
	for range 10 {
		_, err := w.Batches.Create(t.Context(), thumbs(ids...))
		wantFault(t, "a batch", err, fault.Unavailable, "STORE_AWAY")
	}
	_, _, err := w.Jobs.Redrive(t.Context(), job.Filter{}, 0)
	if err != nil {
		t.Error(err)
	}
	for range 10 {
		_, err := w.Jobs.Retry(t.Context(), "job_none")
		wantFault(t, "a retry", err, fault.NotFound, "JOB_NOT_FOUND")
	}
	s.away.Store(false)
	w.batch(ids, job.Wishes{})
	_, err = w.Batches.Create(t.Context(), thumbs(ids[0]))
	wantFault(t, "one more", err, fault.Unavailable, "BACKLOG_FULL")
}

// A batch that could never be taken is told so at once, and not to come back.
func TestABatchBeyondTheLimitIsWrong(t *testing.T) {
	w := begin(t, still, func(s *setting) { s.cfg.Backlog = 2 })
	var ids []job.ImageID
	for i := range 3 {
		ids = append(ids, job.ImageID(fmt.Sprint("img_", i)))
	}
	_, err := w.Batches.Create(t.Context(), manager.CreateBatch{Images: ids, Work: manager.Work{Preset: "thumb"}})
	wantFault(t, "three", err, fault.Invalid, "BAD_BATCH")
}

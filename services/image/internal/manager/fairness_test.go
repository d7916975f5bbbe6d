package manager_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

// images registers n images without jobs.
func (w *world) images(n int) []job.ImageID {
	w.t.Helper()
	ids := make([]job.ImageID, n)
	var g errgroup.Group
	g.SetLimit(64)
	for i := range ids {
		g.Go(func() error {
			a, err := w.Images.Create(w.t.Context(), manager.CreateImage{Digest: digest(i)})
			ids[i] = a.Image.ID
			return err
		})
	}
	if err := g.Wait(); err != nil {
		w.t.Fatal(err)
	}
	return ids
}

// batch begins jobs on images.
func (w *world) batch(ids []job.ImageID, wishes job.Wishes) job.Batch {
	w.t.Helper()
	b, err := w.Batches.Create(w.t.Context(), manager.CreateBatch{Images: ids, Work: manager.Work{Preset: "thumb"}, Wishes: wishes})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// order notes the jobs in the order of their deliveries.
type order struct {
	mu   sync.Mutex
	jobs []job.ID
}

func (o *order) note(id job.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.jobs = append(o.jobs, id)
}

func (o *order) seen() []job.ID {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]job.ID(nil), o.jobs...)
}

// gate keeps the tasks that a node has until it is opened.
type gate chan struct{}

func (g gate) wait() { <-g }

func (w *world) lined(n int) {
	w.t.Helper()
	eventually(w.t, "the queue has its share", func() bool {
		d, err := w.queue.Depth(w.t.Context(), job.Tasks)
		return err == nil && d.Ready+d.Leased >= n
	})
}

// A tenant with thousands of jobs that are queued already keeps one with ten waiting for what the queue holds, and no longer.
func TestATenantWithMuchDoesNotDelayOneWithLittle(t *testing.T) {
	const window, slots = 64, 4
	w := begin(t)
	open, o := make(gate), &order{}
	w.node(func(_ job.Delivery, task job.Task, _ func(job.Report)) job.Verdict {
		open.wait()
		o.note(task.Job)
		return job.Done()
	})
	ids := w.images(plenty / 10)
	for range 10 {
		w.batch(ids, job.Wishes{Tenant: "much"})
	}
	w.lined(window)
	few := w.batch(ids[:10], job.Wishes{Tenant: "little"})
	theirs, _, err := w.Jobs.List(t.Context(), job.Filter{Batch: few.ID}, 100, "")
	if err != nil || len(theirs) != 10 {
		t.Fatal(len(theirs), err)
	}
	little := map[job.ID]bool{}
	for _, j := range theirs {
		little[j.ID] = true
	}
	close(open)
	last, found := 0, 0
	eventually(t, "the ten are delivered", func() bool {
		found = 0
		for i, id := range o.seen() {
			if little[id] {
				found, last = found+1, i+1
			}
		}
		return found == 10
	})
	t.Logf("the last of the ten is delivery %d of %d", last, plenty+10)
	if last > window+20+2*slots {
		t.Errorf("the last of the ten is delivery %d, want one of the first %d", last, window+20)
	}
}

// Tenants without a name are one tenant like any other, and so are the tenants of each class by themselves.
func TestTenantsTakeTurnsOneByOne(t *testing.T) {
	w := begin(t, still)
	ids := w.images(30)
	w.batch(ids, job.Wishes{Class: job.Bulk})
	w.batch(ids[:3], job.Wishes{Class: job.Bulk, Tenant: "a"})
	w.batch(ids[:3], job.Wishes{Class: job.Bulk, Tenant: "b"})
	var tenants string
	n, err := w.store.Relay(t.Context(), job.Bulk, 12, func(_ context.Context, out []job.Outgoing) error {
		for _, m := range out {
			tenants += m.Tenant + "|"
		}
		return nil
	})
	if err != nil || n != 12 {
		t.Fatal(n, err)
	}
	// The first is the head of the line already; whoever comes then shares what follows.
	if want := "||a|b||a|b||a|b|||"; tenants != want {
		t.Errorf("turns were %q, want %q", tenants, want)
	}
}

// While jobs of several classes wait, they are delivered 8 : 3 : 1, whoever came first.
func TestPrioritiesShareByWeight(t *testing.T) {
	w := begin(t)
	open, o := make(gate), &order{}
	w.node(func(d job.Delivery, _ job.Task, _ func(job.Report)) job.Verdict {
		open.wait()
		o.note(job.ID(d.Class))
		return job.Done()
	})
	ids := w.images(60)
	for _, c := range []job.Class{job.Bulk, job.Normal, job.Interactive} {
		w.batch(ids, job.Wishes{Class: c})
	}
	w.lined(180)
	close(open)
	const first = 48
	eventually(t, "some are delivered", func() bool { return len(o.seen()) >= 4+first })
	counts := map[job.ID]int{}
	for _, c := range o.seen()[4 : 4+first] { // the node had four before the others came
		counts[c]++
	}
	for class, want := range map[job.Class]int{job.Interactive: 32, job.Normal: 12, job.Bulk: 4} {
		if n := counts[job.ID(class)]; n < want-3 || n > want+3 {
			t.Errorf("%d of %d deliveries were %s, want about %d: %v", n, first, class, want, counts)
		}
	}
	eventually(t, "all are delivered", func() bool { return len(o.seen()) == 180 })
}

// Jobs that fail on something that may pass, and wait for their next attempt, do not keep others from the queue.
func TestJobsThatAreTriedAgainLaterHoldUpNoOther(t *testing.T) {
	w := begin(t)
	var failed atomic.Int64
	w.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		if task.MaxAttempts == 99 {
			failed.Add(1)
			return job.Again(time.Hour)
		}
		return succeed(d, task, tell)
	})
	ids := w.images(80)
	w.batch(ids, job.Wishes{Tenant: "failing", MaxAttempts: 99})
	eventually(t, "all of them have failed once", func() bool { return failed.Load() == int64(len(ids)) })
	good := thumb()
	good.Wishes.Tenant = "good"
	if j, _ := w.ended(w.create(good).Job.ID); j.State != job.Succeeded {
		t.Errorf("ended as %s", j.State)
	}
}

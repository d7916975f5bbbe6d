package manager_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

func thumbs(ids ...job.ImageID) manager.CreateBatch {
	return manager.CreateBatch{Images: ids, Work: manager.Work{Preset: "thumb"}}
}

func TestABatchOfAThousand(t *testing.T) {
	const n = plenty / 10
	w := begin(t)
	w.node(succeed)
	ids := w.images(n)
	b := w.batch(ids, job.Wishes{Tenant: "shop", Class: job.Bulk})
	if b.Total != n || b.Tenant != "shop" || b.Counts[job.Queued]+b.Counts[job.Running]+b.Counts[job.Succeeded] != n {
		t.Fatalf("it begins as %+v", b)
	}
	var seen []job.Batch
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.Batches.Watch(ctx, b.ID, func(b job.Batch) error { seen = append(seen, b); return nil }); err != nil {
		t.Fatal(err)
	}
	last := seen[len(seen)-1]
	if last.Percent != 100 || !last.Ended() || last.Counts[job.Succeeded] != n {
		t.Errorf("it ends as %+v", last)
	}
	for i := 1; i < len(seen); i++ {
		if seen[i].Percent < seen[i-1].Percent || seen[i].Updated.Before(seen[i-1].Updated) {
			t.Errorf("it went from %+v to %+v", seen[i-1], seen[i])
		}
	}
	jobs, token, err := w.Jobs.List(t.Context(), job.Filter{Batch: b.ID}, 1000, "")
	if err != nil || len(jobs) != n || token != "" {
		t.Fatalf("%d jobs, %v, %q", len(jobs), err, token)
	}
	if j := jobs[0]; j.BatchID != b.ID || j.Tenant != "shop" || j.Class != job.Bulk || j.Preset != "thumb" {
		t.Errorf("one of them is %+v", j)
	}
}

// All of a batch is begun, or nothing of it; what is wrong is named by its place.
func TestABatchIsRefusedAsAWhole(t *testing.T) {
	w := begin(t, still)
	ids := w.images(3)
	gone := w.create(manager.CreateImage{}).Image.ID
	if err := w.Images.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	many := make([]job.ImageID, 1001)
	for i := range many {
		many[i] = job.ImageID(fmt.Sprint("img_", i))
	}
	none := manager.CreateBatch{Images: ids}
	bad := thumbs(ids[0], ids[0])
	bad.Preset, bad.Wishes = "", job.Wishes{Tenant: "not a name", MaxAttempts: 101}
	for name, c := range map[string]struct {
		req    manager.CreateBatch
		kind   fault.Kind
		reason string
		paths  []string
	}{
		"no images":       {thumbs(), fault.Invalid, "BAD_BATCH", []string{"image_ids"}},
		"too many":        {thumbs(many...), fault.Invalid, "BAD_BATCH", []string{"image_ids"}},
		"duplicates":      {thumbs(ids[0], ids[1], ids[0], ids[1], ids[2]), fault.Invalid, "BAD_BATCH", []string{"image_ids[2]", "image_ids[3]"}},
		"missing":         {thumbs("img_none", ids[0], gone, ids[1], ""), fault.NotFound, "IMAGE_NOT_FOUND", []string{"image_ids[0]", "image_ids[2]", "image_ids[4]"}},
		"all are missing": {thumbs(many[:1000]...), fault.NotFound, "IMAGE_NOT_FOUND", nil},
		"nothing to make": {none, fault.Invalid, "BAD_RECIPE", []string{"preset"}},
		"no such preset":  {manager.CreateBatch{Images: ids, Work: manager.Work{Preset: "thmb"}}, fault.Invalid, "UNKNOWN_PRESET", []string{"preset"}},
		"bad variants":    {manager.CreateBatch{Images: ids, Work: manager.Work{Variants: []string{"a:w_1", "a:w_2"}}}, fault.Invalid, "BAD_RECIPE", []string{"variants[1].name"}},
		"all at once":     {bad, fault.Invalid, "BAD_BATCH", []string{"image_ids[1]", "preset", "options.tenant", "options.max_attempts"}},
	} {
		_, err := w.Batches.Create(t.Context(), c.req)
		wantFault(t, name, err, c.kind, c.reason)
		if f := fault.As(err); c.paths != nil && f != nil {
			var paths []string
			for _, field := range f.Fields {
				paths = append(paths, field.Path)
			}
			if fmt.Sprint(paths) != fmt.Sprint(c.paths) {
				t.Errorf("%s: wrong at %v, want %v", name, paths, c.paths)
			}
		}
	}
	if census, err := w.store.Census(t.Context()); err != nil || census.Jobs[job.Queued] != 0 || census.Outbox != 0 {
		t.Errorf("something was begun: %+v, %v", census, err)
	}
	_, err := w.Batches.Get(t.Context(), "bat_none")
	wantFault(t, "getting nothing", err, fault.NotFound, "BATCH_NOT_FOUND")
	_, err = w.Batches.Cancel(t.Context(), "bat_none")
	wantFault(t, "cancelling nothing", err, fault.NotFound, "BATCH_NOT_FOUND")
	err = w.Batches.Watch(t.Context(), "bat_none", func(job.Batch) error { return nil })
	wantFault(t, "watching nothing", err, fault.NotFound, "BATCH_NOT_FOUND")
}

// goes deletes an image behind the look for it.
type goes struct {
	job.Store
	mu   sync.Mutex
	then func()
}

func (g *goes) over(real job.Store) { g.Store = real }

func (g *goes) Commit(ctx context.Context, c job.Commit) (job.Receipt, error) {
	g.mu.Lock()
	then := g.then
	g.then = nil
	g.mu.Unlock()
	if then != nil {
		then()
	}
	return g.Store.Commit(ctx, c)
}

func TestAnImageThatGoesWhileItsBatchBegins(t *testing.T) {
	g := &goes{}
	w := begin(t, still, func(s *setting) { s.parts.Store = g })
	ids := w.images(5)
	g.then = func() {
		if err := w.Images.Delete(t.Context(), ids[3]); err != nil {
			t.Error(err)
		}
	}
	_, err := w.Batches.Create(t.Context(), thumbs(ids...))
	wantFault(t, "a batch", err, fault.NotFound, "IMAGE_NOT_FOUND")
	if census, err := w.store.Census(t.Context()); err != nil || census.Jobs[job.Queued] != 0 || census.Outbox != 0 {
		t.Errorf("something was begun: %+v, %v", census, err)
	}
}

func TestABatchIsBegunOnceUnderAKey(t *testing.T) {
	w := begin(t, still)
	ids := w.images(4)
	req := thumbs(ids...)
	req.Key = "k"
	var (
		g    errgroup.Group
		mu   sync.Mutex
		seen = map[job.BatchID]bool{}
	)
	for range 20 {
		g.Go(func() error {
			b, err := w.Batches.Create(t.Context(), req)
			mu.Lock()
			defer mu.Unlock()
			seen[b.ID] = true
			return err
		})
	}
	if err := g.Wait(); err != nil || len(seen) != 1 {
		t.Fatalf("%d batches, %v", len(seen), err)
	}
	if census, err := w.store.Census(t.Context()); err != nil || census.Jobs[job.Queued] != 4 {
		t.Errorf("%+v, %v", census, err)
	}
	for name, change := range map[string]func(*manager.CreateBatch){
		"other images":  func(r *manager.CreateBatch) { r.Images = ids[:3] },
		"another order": func(r *manager.CreateBatch) { r.Images = []job.ImageID{ids[1], ids[0], ids[2], ids[3]} },
		"other work":    func(r *manager.CreateBatch) { r.Preset = "web" },
		"other wishes":  func(r *manager.CreateBatch) { r.Wishes.Class = job.Bulk },
	} {
		other := req
		change(&other)
		_, err := w.Batches.Create(t.Context(), other)
		wantFault(t, name, err, fault.Conflict, "IDEMPOTENCY_KEY_REUSED")
	}
	_, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: ids[0], Key: "k", Work: manager.Work{Preset: "thumb"}})
	wantFault(t, "a job under the batch's key", err, fault.Conflict, "IDEMPOTENCY_KEY_REUSED")
}

func TestCancelABatch(t *testing.T) {
	w := begin(t)
	w.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		if task.MaxAttempts == 7 {
			return succeed(d, task, tell)
		}
		tell(job.Report{Kind: job.Began})
		eventually(t, "the job runs", func() bool { // what overtakes that report is dropped
			j, err := w.Jobs.Get(context.Background(), task.Job)
			return err == nil && j.State == job.Running
		})
		tell(job.Report{Kind: job.Progressed, Progress: &job.Progress{Phase: "rendering", Percent: 50}})
		return job.Again(time.Hour)
	})
	ids := w.images(40)
	bystander := w.batch(ids[:1], job.Wishes{NotBefore: time.Now().Add(time.Hour)})
	scheduled := w.batch(ids, job.Wishes{NotBefore: time.Now().Add(time.Hour)})
	if scheduled.Counts[job.Scheduled] != 40 || scheduled.Percent != 0 || scheduled.Ended() {
		t.Errorf("it waits as %+v", scheduled)
	}
	running := w.batch(ids[:2], job.Wishes{})
	eventually(t, "both are half done", func() bool {
		b, err := w.Batches.Get(t.Context(), running.ID)
		return err == nil && b.Percent == 50 && b.Counts[job.Running] == 2
	})
	for _, id := range []job.BatchID{scheduled.ID, running.ID} {
		over := make(chan error, 1)
		var last job.Batch
		go func() { over <- w.Batches.Watch(t.Context(), id, func(b job.Batch) error { last = b; return nil }) }()
		b, err := w.Batches.Cancel(t.Context(), id)
		if err != nil || b.Counts[job.Cancelled] != b.Total || b.Percent != 100 || !b.Ended() {
			t.Errorf("cancelled it is %+v, %v", b, err)
		}
		if err := <-over; err != nil || !last.Ended() || last.Percent != 100 {
			t.Errorf("who watched saw %+v last, %v", last, err)
		}
		if again, err := w.Batches.Cancel(t.Context(), id); err != nil || !again.Updated.Equal(b.Updated) {
			t.Errorf("cancelled again it is %+v, %v", again, err)
		}
	}
	if b, err := w.Batches.Get(t.Context(), bystander.ID); err != nil || b.Counts[job.Scheduled] != 1 {
		t.Errorf("another batch is %+v, %v", b, err)
	}
	done := w.batch(ids[:3], job.Wishes{MaxAttempts: 7})
	if err := w.Batches.Watch(t.Context(), done.ID, func(job.Batch) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if b, err := w.Batches.Cancel(t.Context(), done.ID); err != nil || b.Counts[job.Succeeded] != 3 {
		t.Errorf("cancelling what is done: %+v, %v", b, err)
	}
}

// A store that fails in the middle of a cancellation says so; the next call ends the rest.
func TestCancelABatchOverAShakyStore(t *testing.T) {
	s := &shakyStore{with: fault.Unavailable}
	w := begin(t, still, func(set *setting) { set.parts.Store = s })
	b := w.batch(w.images(100), job.Wishes{})
	s.refuse.Store(3)
	_, err := w.Batches.Cancel(t.Context(), b.ID)
	wantFault(t, "a store that is away", err, fault.Unavailable, "STORE_AWAY")
	s.refuse.Store(0)
	if b, err = w.Batches.Cancel(t.Context(), b.ID); err != nil || b.Counts[job.Cancelled] != 100 {
		t.Errorf("the second call left %+v, %v", b, err)
	}
}

// Jobs that go with their images are in no count, and the batch ends without them, which who watches hears.
func TestABatchWhoseImagesGo(t *testing.T) {
	w := begin(t, still)
	ids := w.images(3)
	b := w.batch(ids, job.Wishes{})
	seen, over := make(chan job.Batch, 9), make(chan error, 1)
	go func() {
		over <- w.Batches.Watch(t.Context(), b.ID, func(b job.Batch) error { seen <- b; return nil })
	}()
	<-seen
	for i, id := range ids {
		if err := w.Images.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if b := <-seen; b.Counts[job.Queued] != 2-i || b.Total != 3 {
			t.Errorf("without %d images it is %+v", i+1, b)
		}
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
	if b, err := w.Batches.Get(t.Context(), b.ID); err != nil || !b.Ended() || b.Percent != 100 {
		t.Errorf("it is left as %+v, %v", b, err)
	}
}

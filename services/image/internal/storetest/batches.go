package storetest

import (
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// newBatch is a batch of n jobs on an image, not committed yet.
func newBatch(im job.Image, n int, w job.Wishes) job.Commit {
	b := job.Batch{ID: ids.Batch(epoch), Tenant: w.Tenant, Total: n, Created: epoch}
	c := job.Commit{Batch: &b}
	for range n {
		j := jobLike(im, w)
		j.Job.BatchID = b.ID
		c.Jobs = append(c.Jobs, j)
	}
	return c
}

func testBatches(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := anImage(t, s, 1)
	c := newBatch(im, 4, job.Wishes{Tenant: "a", Class: job.Bulk})
	commit(t, s, c)
	commit(t, s, newBatch(im, 3, job.Wishes{})) // another
	withImage(t, s)                             // and one in none
	want := job.Batch{ID: c.Batch.ID, Tenant: "a", Total: 4, Created: epoch, Counts: map[job.State]int{job.Queued: 4}, Updated: epoch}
	check := func(what string) {
		t.Helper()
		same(t, what, want, must[job.Batch](t)(s.Batch(t.Context(), want.ID)))
	}
	check("begun")

	jobs := []job.Job{c.Jobs[0].Job, c.Jobs[1].Job, c.Jobs[2].Job, c.Jobs[3].Job}
	began := func(j job.Job, percent int) {
		report(t, s, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: job.Began, Node: "w1", Time: epoch.Add(time.Second)})
		report(t, s, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: job.Progressed, Node: "w1", Time: epoch.Add(2 * time.Second),
			Progress: &job.Progress{Phase: "rendering", Percent: percent}})
	}
	began(jobs[0], 60)
	began(jobs[1], 22)
	want.Counts, want.Percent, want.Updated = map[job.State]int{job.Queued: 2, job.Running: 2}, 20, epoch.Add(2*time.Second)
	check("running")

	report(t, s, finished(jobs[2]))
	report(t, s, job.Report{Job: jobs[0].ID, Run: 1, Attempt: 1, Kind: job.GaveUp, Time: epoch.Add(9 * time.Second), Failure: &job.Failure{Reason: "X"}})
	want.Counts = map[job.State]int{job.Queued: 1, job.Running: 1, job.Succeeded: 1, job.Failed: 1}
	want.Percent, want.Updated = 55, epoch.Add(9*time.Second)
	check("half done")
	if want.Ended() {
		t.Error("has ended")
	}

	if _, err := s.Forget(t.Context(), im.ID); err != nil {
		t.Fatal(err)
	}
	want.Counts, want.Percent, want.Updated = map[job.State]int{}, 100, epoch
	check("forgotten")
	_, err := s.Batch(t.Context(), "bat_none")
	wantKind(t, "a batch that is not there", err, fault.NotFound)
}

// A batch is a thousand jobs at most, on many images, and all or nothing of it.
func testLargeBatch(t *testing.T, suite Suite) {
	s := suite.Open(t)
	images := []job.Image{anImage(t, s, 1), anImage(t, s, 2), anImage(t, s, 3)}
	c := newBatch(images[0], 1000, job.Wishes{})
	for i := range c.Jobs {
		c.Jobs[i].Job.ImageID = images[i%3].ID
	}
	lost := newImage(4)
	bad := newBatch(images[0], 10, job.Wishes{})
	bad.Jobs[7] = jobLike(lost, job.Wishes{})
	_, err := s.Commit(t.Context(), bad)
	wantKind(t, "a batch with an image that is not there", err, fault.NotFound)
	_, err = s.Batch(t.Context(), bad.Batch.ID)
	wantKind(t, "such a batch", err, fault.NotFound)

	commit(t, s, c)
	b := must[job.Batch](t)(s.Batch(t.Context(), c.Batch.ID))
	if n, err := s.Backlog(t.Context()); b.Counts[job.Queued] != 1000 || n != 1000 || err != nil {
		t.Errorf("%v, backlog %d, %v", b, n, err)
	}
	found := must[[]job.Job](t)(s.Jobs(t.Context(), job.Filter{Batch: b.ID}, "", 2000))
	for i, j := range found {
		if want := c.Jobs[999-i].Job; j.ID != want.ID || j.ImageID != want.ImageID {
			t.Fatalf("job %d of the batch is %v, want %v", i, j.ID, want.ID)
		}
	}
	if len(found) != 1000 {
		t.Errorf("%d jobs of the batch", len(found))
	}
}

func testBatchReceipts(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := anImage(t, s, 1)
	try := func(payload int) (job.Commit, job.Receipt, error) {
		c := newBatch(im, 2, job.Wishes{})
		c.Receipt = job.Receipt{Key: "k", Payload: digest(payload), Batch: c.Batch.ID, Created: epoch, Expires: epoch.Add(time.Hour)}
		r, err := s.Commit(t.Context(), c)
		return c, r, err
	}
	first, r, err := try(1)
	same(t, "first", first.Receipt, must[job.Receipt](t)(r, err))
	second, r, err := try(1)
	same(t, "repeated", first.Receipt, must[job.Receipt](t)(r, err))
	same(t, "kept", first.Receipt, must[job.Receipt](t)(s.Receipt(t.Context(), "k", epoch)))
	_, err = s.Batch(t.Context(), second.Batch.ID)
	wantKind(t, "the repetition's own batch", err, fault.NotFound)
	_, _, err = try(2)
	wantKind(t, "another payload", err, fault.Conflict)
	if jobs := must[[]job.Job](t)(s.Jobs(t.Context(), job.Filter{}, "", 10)); len(jobs) != 2 {
		t.Errorf("%d jobs were made", len(jobs))
	}
	// It names no image, so it stays when one is forgotten.
	if _, err := s.Forget(t.Context(), im.ID); err != nil {
		t.Fatal(err)
	}
	same(t, "after the image", first.Receipt, must[job.Receipt](t)(s.Receipt(t.Context(), "k", epoch)))
}

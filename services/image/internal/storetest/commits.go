package storetest

import (
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func testCommit(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := newImage(1)
	c := newJob(im)
	c.Image = &im
	c.Receipt = job.Receipt{Key: "k", Payload: digest(9), Image: im.ID, Job: c.Jobs[0].Job.ID, Created: epoch, Expires: epoch.Add(time.Hour)}
	same(t, "receipt in force", c.Receipt, commit(t, s, c))
	same(t, "image", im, must[job.Image](t)(s.Image(t.Context(), im.ID)))
	same(t, "job", c.Jobs[0].Job, must[job.Job](t)(s.Job(t.Context(), c.Jobs[0].Job.ID)))
	same(t, "events", c.Jobs[0].Events, must[[]job.Event](t)(s.Events(t.Context(), c.Jobs[0].Job.ID, 0, 10)))
	same(t, "receipt", c.Receipt, must[job.Receipt](t)(s.Receipt(t.Context(), "k", epoch)))
	same(t, "messages", []string{c.Jobs[0].Outbox[0].ID}, drain(t, s))
}

func testCommitNeedsImage(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := newImage(1)
	c := newJob(im)
	c.Receipt = job.Receipt{Key: "k", Payload: digest(9), Image: im.ID, Job: c.Jobs[0].Job.ID, Created: epoch, Expires: epoch.Add(time.Hour)}
	_, err := s.Commit(t.Context(), c)
	wantKind(t, "a job on an image that is not there", err, fault.NotFound)
	_, err = s.Job(t.Context(), c.Jobs[0].Job.ID)
	wantKind(t, "its job", err, fault.NotFound)
	_, err = s.Receipt(t.Context(), "k", epoch)
	wantKind(t, "its receipt", err, fault.NotFound)
	if left := drain(t, s); len(left) > 0 {
		t.Errorf("its messages are there: %v", left)
	}
}

func testReceipts(t *testing.T, suite Suite) {
	s := suite.Open(t)
	try := func(key string, payload int, at time.Time) (job.Commit, job.Receipt, error) {
		im := newImage(1)
		c := newJob(im)
		c.Image = &im
		c.Receipt = job.Receipt{Key: key, Payload: digest(payload), Image: im.ID, Job: c.Jobs[0].Job.ID, Created: at, Expires: at.Add(time.Hour)}
		r, err := s.Commit(t.Context(), c)
		return c, r, err
	}
	first, got, err := try("k", 1, epoch)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "first", first.Receipt, got)

	repeated, got, err := try("k", 1, epoch.Add(59*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "repeated", first.Receipt, got)
	_, err = s.Job(t.Context(), repeated.Jobs[0].Job.ID)
	wantKind(t, "the repetition's own job", err, fault.NotFound)

	_, _, err = try("k", 2, epoch.Add(59*time.Minute))
	wantKind(t, "another payload", err, fault.Conflict)
	if fault.ReasonOf(err) != "IDEMPOTENCY_KEY_REUSED" {
		t.Errorf("reason %q", fault.ReasonOf(err))
	}
	for range 2 {
		if c, got, err := try("", 1, epoch); err != nil || got != c.Receipt {
			t.Errorf("without a key: %v, %v", got, err)
		}
	}
	_, err = s.Receipt(t.Context(), "", epoch)
	wantKind(t, "the empty key", err, fault.NotFound)

	// At its expiry it is as good as gone, removed or not.
	expired := epoch.Add(time.Hour)
	_, err = s.Receipt(t.Context(), "k", expired)
	wantKind(t, "an expired receipt", err, fault.NotFound)
	anew, got, err := try("k", 2, expired)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after expiry", anew.Receipt, got)
	if err := s.Expire(t.Context(), expired); err != nil {
		t.Fatal(err)
	}
	same(t, "the one in force is kept", anew.Receipt, must[job.Receipt](t)(s.Receipt(t.Context(), "k", expired)))
	if err := s.Expire(t.Context(), expired.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err = s.Receipt(t.Context(), "k", epoch)
	wantKind(t, "a removed receipt", err, fault.NotFound)
}

// A hundred at once under one key, half of them through another manager: one job, and the same answer for all.
func testConcurrentCreates(t *testing.T, suite Suite) {
	s := suite.Open(t)
	handles := []job.Store{s, suite.Reopen(t, s)}
	var (
		wg      sync.WaitGroup
		answers = make([]job.Receipt, 100)
		errs    = make([]error, 100)
		refused = make([]error, 20)
	)
	attempt := func(i, payload int) (job.Receipt, error) {
		im := newImage(1)
		c := newJob(im)
		c.Image = &im
		c.Receipt = job.Receipt{Key: "k", Payload: digest(payload), Image: im.ID, Job: c.Jobs[0].Job.ID, Created: epoch, Expires: epoch.Add(time.Hour)}
		return handles[i%2].Commit(t.Context(), c)
	}
	for i := range answers {
		wg.Go(func() { answers[i], errs[i] = attempt(i, 1) })
	}
	wg.Wait()
	for i := range refused {
		wg.Go(func() { _, refused[i] = attempt(i, 2) })
	}
	wg.Wait()
	for i := range answers {
		if errs[i] != nil || answers[i] != answers[0] {
			t.Fatalf("answer %d: %v, %v; the first was %v", i, answers[i], errs[i], answers[0])
		}
	}
	for _, err := range refused {
		wantKind(t, "another payload", err, fault.Conflict)
	}
	if jobs := must[[]job.Job](t)(s.Jobs(t.Context(), job.Filter{}, "", 10)); len(jobs) != 1 || jobs[0].ID != answers[0].Job {
		t.Errorf("%d jobs were made", len(jobs))
	}
	if images := must[[]job.Image](t)(s.Images(t.Context(), "", 10)); len(images) != 1 {
		t.Errorf("%d images were registered", len(images))
	}
	if sent := drain(t, s); len(sent) != 1 {
		t.Errorf("%d messages are to be sent", len(sent))
	}
}

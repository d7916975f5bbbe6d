package storetest

import (
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func testScheduled(t *testing.T, suite Suite) {
	s := suite.Open(t)
	at := func(after time.Duration) job.Job {
		return withWishes(t, s, job.Wishes{NotBefore: epoch.Add(after), Tenant: "a"})
	}
	late, soon, never := at(2*time.Minute), at(time.Minute), at(24*time.Hour)
	withImage(t, s)
	if late.State != job.Scheduled {
		t.Fatalf("accepted as %s", late.State)
	}
	same(t, "kept", late, must[job.Job](t)(s.Job(t.Context(), late.ID)))
	due := func(what string, after time.Duration, limit int, want ...job.ID) {
		t.Helper()
		if got := must[[]job.ID](t)(s.Due(t.Context(), epoch.Add(after), limit)); len(got)+len(want) > 0 {
			same(t, what, want, got)
		}
	}
	due("before any", time.Minute-time.Microsecond, 9)
	due("the first", time.Minute, 9, soon.ID)
	due("the longest due first", time.Hour, 9, soon.ID, late.ID)
	due("a page", time.Hour, 1, soon.ID)
	if stale := must[[]job.ID](t)(s.Stale(t.Context(), epoch.Add(time.Hour), 9)); len(stale) != 0 {
		t.Errorf("stale: %v", stale) // the one that is queued has its message in the outbox
	}
	if n := must[job.Census](t)(s.Census(t.Context())); n.Jobs[job.Scheduled] != 3 || n.Outbox != 1 {
		t.Errorf("census: %+v", n)
	}

	released, err := s.Update(t.Context(), soon.ID, func(j job.Job) (job.Change, error) {
		next, events := job.Release(j, epoch.Add(time.Hour))
		return job.Change{Job: next, Events: events, Outbox: []job.Outgoing{outgoing(next)}}, nil
	})
	if err != nil || released.State != job.Queued {
		t.Fatalf("released: %s, %v", released.State, err)
	}
	due("what was released is not due", time.Hour, 9, late.ID)
	if sent := drain(t, s); len(sent) != 2 {
		t.Errorf("sent %v", sent)
	}
	same(t, "forgotten while it waits", []job.ID{never.ID}, must[[]job.ID](t)(s.Forget(t.Context(), never.ImageID)))
}

func testExpired(t *testing.T, suite Suite) {
	s := suite.Open(t)
	minutes := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Minute) }
	image := func(expires time.Time) job.Image {
		im := newImage(1)
		im.Expires = expires
		commit(t, s, job.Commit{Image: &im})
		same(t, "image", im, must[job.Image](t)(s.Image(t.Context(), im.ID)))
		return im
	}
	second, first := image(minutes(2)), image(minutes(1))
	image(time.Time{})
	ended := func(keep time.Duration) job.Job {
		j := withWishes(t, s, job.Wishes{Keep: keep})
		if !j.Expires.IsZero() {
			t.Errorf("expires at %v though it has not ended", j.Expires)
		}
		j = report(t, s, finished(j)) // a second after the epoch
		same(t, "kept", j, must[job.Job](t)(s.Job(t.Context(), j.ID)))
		return j
	}
	long, short := ended(2*time.Minute), ended(time.Minute)
	ended(0)
	withWishes(t, s, job.Wishes{Keep: time.Minute}) // has not ended
	if !short.Expires.Equal(short.Ended.Add(time.Minute)) {
		t.Errorf("expires at %v, ended at %v", short.Expires, short.Ended)
	}
	expired := func(what string, now time.Time, limit int, wantImages []job.ImageID, wantJobs []job.ID) {
		t.Helper()
		images, jobs, err := s.Expired(t.Context(), now, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(images)+len(wantImages) > 0 {
			same(t, what+": images", wantImages, images)
		}
		if len(jobs)+len(wantJobs) > 0 {
			same(t, what+": jobs", wantJobs, jobs)
		}
	}
	expired("before any", minutes(1).Add(-1000), 9, nil, nil)
	expired("an image", minutes(1), 9, []job.ImageID{first.ID}, nil)
	expired("a job", short.Expires, 9, []job.ImageID{first.ID}, []job.ID{short.ID})
	expired("all, by their times", minutes(9), 9, []job.ImageID{first.ID, second.ID}, []job.ID{short.ID, long.ID})
	expired("a page", minutes(9), 1, []job.ImageID{first.ID}, []job.ID{short.ID})
	if err := s.Drop(t.Context(), short.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	expired("the rest", minutes(9), 9, []job.ImageID{second.ID}, []job.ID{long.ID})

	// Who is to be told of a job's end is told before the job goes, or its image.
	im := newImage(1)
	im.Expires = minutes(1)
	told := jobLike(im, job.Wishes{Keep: time.Minute})
	commit(t, s, job.Commit{Image: &im, Jobs: []job.Change{told}})
	w := endWithNotice(t, s, told.Job, epoch)
	expired("a notice is pending", minutes(200), 9, []job.ImageID{second.ID}, []job.ID{long.ID})
	if err := s.Settle(t.Context(), w.ID, 0, job.WebhookOutcome{State: job.WebhookDelivered, Time: epoch}); err != nil {
		t.Fatal(err)
	}
	expired("the notice is delivered", minutes(200), 9, []job.ImageID{im.ID, second.ID}, []job.ID{told.Job.ID, long.ID})
}

func testExpireTheOld(t *testing.T, suite Suite) {
	s := suite.Open(t)
	w := noticed(t, s, 3) // the last stays pending
	for i, at := range []time.Time{epoch, epoch.Add(time.Hour)} {
		if err := s.Settle(t.Context(), w[i].ID, 0, job.WebhookOutcome{State: job.WebhookDelivered, Time: at}); err != nil {
			t.Fatal(err)
		}
	}
	im, kept := anImage(t, s, 1), anImage(t, s, 2)
	empty, used := newBatch(im, 1, job.Wishes{}), newBatch(kept, 1, job.Wishes{})
	commit(t, s, empty)
	commit(t, s, used)
	if _, err := s.Forget(t.Context(), im.ID); err != nil {
		t.Fatal(err)
	}
	left := func(now time.Time, notices int, batch bool) {
		t.Helper()
		if err := s.Expire(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if n := len(must[[]job.Webhook](t)(s.Webhooks(t.Context(), job.WebhookFilter{}, "", 9))); n != notices {
			t.Errorf("%d notices at %v, want %d", n, now, notices)
		}
		if _, err := s.Batch(t.Context(), empty.Batch.ID); (err == nil) != batch {
			t.Errorf("the empty batch at %v: %v", now, err)
		}
		if _, err := s.Batch(t.Context(), used.Batch.ID); err != nil {
			t.Errorf("the batch with a job at %v: %v", now, err)
		}
	}
	left(epoch.Add(job.KeepWebhooks-time.Second), 3, true)
	left(epoch.Add(job.KeepWebhooks), 2, true)
	left(epoch.Add(job.KeepBatches-time.Second), 1, true)
	left(epoch.Add(job.KeepBatches), 1, false)
}

func testDrop(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im, j := withImage(t, s)
	_, other := withImage(t, s)
	for _, wait := range []job.ReportKind{"", job.Began} {
		report(t, s, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: wait, Node: "w1"})
		err := s.Drop(t.Context(), j.ID)
		wantKind(t, "one that has not ended", err, fault.Conflict)
		if fault.ReasonOf(err) != "JOB_NOT_ENDED" {
			t.Errorf("reason %q", fault.ReasonOf(err))
		}
	}
	endWithNotice(t, s, j, epoch)
	for range 2 {
		if err := s.Drop(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Job(t.Context(), j.ID)
	wantKind(t, "a dropped job", err, fault.NotFound)
	_, err = s.Result(t.Context(), im.ID, "a")
	wantKind(t, "a dropped job's result", err, fault.NotFound)
	if events := must[[]job.Event](t)(s.Events(t.Context(), j.ID, 0, 9)); len(events) > 0 {
		t.Errorf("events are left: %v", events)
	}
	if notices := must[[]job.Webhook](t)(s.Webhooks(t.Context(), job.WebhookFilter{}, "", 9)); len(notices) > 0 {
		t.Errorf("notices are left: %v", notices)
	}
	same(t, "messages that are left", []string{outgoing(other).ID}, drain(t, s))
	if _, err := s.Image(t.Context(), im.ID); err != nil {
		t.Errorf("the image went too: %v", err)
	}
}

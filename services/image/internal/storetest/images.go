package storetest

import (
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func testImages(t *testing.T, suite Suite) {
	s := suite.Open(t)
	var want []job.Image // the newest first
	for n := range 5 {
		im := newImage(n)
		commit(t, s, job.Commit{Image: &im})
		want = append([]job.Image{im}, want...)
	}
	for _, im := range want {
		same(t, "image", im, must[job.Image](t)(s.Image(t.Context(), im.ID)))
	}
	same(t, "all", want, must[[]job.Image](t)(s.Images(t.Context(), "", 10)))
	same(t, "first page", want[:2], must[[]job.Image](t)(s.Images(t.Context(), "", 2)))
	same(t, "second page", want[2:4], must[[]job.Image](t)(s.Images(t.Context(), want[1].ID, 2)))
	if rest := must[[]job.Image](t)(s.Images(t.Context(), want[4].ID, 2)); len(rest) != 0 {
		t.Errorf("after the last come %v", rest)
	}
	same(t, "some", map[job.ImageID]job.Image{want[1].ID: want[1], want[3].ID: want[3]},
		must[map[job.ImageID]job.Image](t)(s.Those(t.Context(), []job.ImageID{want[3].ID, "img_none", want[1].ID})))
	if none := must[map[job.ImageID]job.Image](t)(s.Those(t.Context(), nil)); len(none) > 0 {
		t.Errorf("of none there are %v", none)
	}
	_, err := s.Image(t.Context(), "img_none")
	wantKind(t, "an image that is not there", err, fault.NotFound)
}

func testForget(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im, running := withImage(t, s)
	done := newJob(im)
	commit(t, s, done)
	report(t, s, finished(done.Jobs[0].Job))
	kept, keptJob := withImage(t, s)
	again := newJob(im)
	again.Receipt = job.Receipt{Key: "k", Payload: digest(1), Image: im.ID, Job: again.Jobs[0].Job.ID, Created: epoch, Expires: epoch.AddDate(0, 0, 1)}
	commit(t, s, again)

	same(t, "jobs that had not ended", []job.ID{running.ID, again.Jobs[0].Job.ID}, must[[]job.ID](t)(s.Forget(t.Context(), im.ID)))
	_, err := s.Image(t.Context(), im.ID)
	wantKind(t, "a forgotten image", err, fault.NotFound)
	for _, id := range []job.ID{running.ID, done.Jobs[0].Job.ID, again.Jobs[0].Job.ID} {
		_, err = s.Job(t.Context(), id)
		wantKind(t, "a job of a forgotten image", err, fault.NotFound)
		if events := must[[]job.Event](t)(s.Events(t.Context(), id, 0, 9)); len(events) > 0 {
			t.Errorf("events are left: %v", events)
		}
	}
	_, err = s.Result(t.Context(), im.ID, "a")
	wantKind(t, "a result of a forgotten image", err, fault.NotFound)
	_, err = s.Receipt(t.Context(), "k", epoch)
	wantKind(t, "a receipt for a forgotten image", err, fault.NotFound)
	same(t, "unsent messages", []string{outgoing(keptJob).ID}, drain(t, s))
	if _, err := s.Image(t.Context(), kept.ID); err != nil {
		t.Errorf("the other image went too: %v", err)
	}
	if left := must[[]job.ID](t)(s.Forget(t.Context(), im.ID)); len(left) > 0 {
		t.Errorf("forgetting twice found %v", left)
	}
}

func testResults(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im, older := withImage(t, s)
	_, err := s.Result(t.Context(), im.ID, "a")
	wantKind(t, "a result before the job succeeded", err, fault.NotFound)
	newer, newest := newJob(im), newJob(im)
	commit(t, s, newer)
	commit(t, s, newest)

	r := finished(newer.Jobs[0].Job)
	r.Results[0].Key = "newer"
	report(t, s, r)
	report(t, s, finished(older)) // later, but of an older job
	report(t, s, job.Report{Job: newest.Jobs[0].Job.ID, Run: 1, Attempt: 1, Kind: job.GaveUp, Failure: &job.Failure{Reason: "X"}})
	same(t, "the newest job's result", r.Results[0], must[job.Result](t)(s.Result(t.Context(), im.ID, "a")))
	_, err = s.Result(t.Context(), im.ID, "c")
	wantKind(t, "a name that nobody made", err, fault.NotFound)
}

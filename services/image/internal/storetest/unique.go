package storetest

import (
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

func testUnique(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im, other := anImage(t, s, 1), anImage(t, s, 2)
	try := func(what string, c job.Change, want job.ID) job.ID {
		t.Helper()
		r := job.Receipt{Key: what, Payload: digest(3), Image: c.Job.ImageID, Job: c.Job.ID, Created: epoch, Expires: epoch.Add(time.Hour)}
		got := commit(t, s, job.Commit{Jobs: []job.Change{c}, Receipt: r})
		if want == "" {
			want = c.Job.ID
		}
		if r.Job = want; got != r {
			t.Errorf("%s: receipt %+v, want %+v", what, got, r)
		}
		same(t, what+": kept receipt", r, must[job.Receipt](t)(s.Receipt(t.Context(), what, epoch)))
		if want != c.Job.ID {
			_, err := s.Job(t.Context(), c.Job.ID)
			wantKind(t, what+": its own job", err, fault.NotFound)
		}
		return want
	}
	unique := job.Wishes{Unique: true}
	first := try("first", jobLike(im, unique), "")
	try("again", jobLike(im, unique), first)
	try("for another tenant", jobLike(im, job.Wishes{Unique: true, Tenant: "b", Class: job.Bulk}), first)
	elsewhere := try("on another image", jobLike(other, unique), "")
	twin := anImage(t, s, 1) // the same bytes, uploaded again
	if r := commit(t, s, job.Commit{Jobs: []job.Change{jobLike(twin, unique)}}); r.Job != first || r.Image != im.ID {
		t.Errorf("on the same original: receipt %+v, want job %s on %s", r, first, im.ID)
	}
	upload := newImage(1)
	if r := commit(t, s, job.Commit{Image: &upload, Jobs: []job.Change{jobLike(upload, unique)}}); r.Job != first || r.Image != im.ID {
		t.Errorf("uploaded again: receipt %+v, want job %s on %s", r, first, im.ID)
	}
	_, err := s.Image(t.Context(), upload.ID)
	wantKind(t, "the image of the upload", err, fault.NotFound)
	different := jobLike(im, unique)
	different.Job.Recipe = recipe.Recipe{Variants: newRecipe().Variants[:1]}
	try("another recipe", different, "")
	report(t, s, job.Report{Job: first, Run: 1, Attempt: 1, Kind: job.Began, Node: "w1", Time: epoch})
	try("while it runs", jobLike(im, unique), first)
	try("not unique", jobLike(im, job.Wishes{}), "")
	report(t, s, finished(must[job.Job](t)(s.Job(t.Context(), elsewhere))))
	waiting := jobLike(other, job.Wishes{Unique: true, NotBefore: epoch.Add(time.Hour)})
	try("after its end", waiting, "")
	try("while it is scheduled", jobLike(other, unique), waiting.Job.ID)
	if sent := drain(t, s); len(sent) != 4 {
		t.Errorf("sent %v", sent)
	}
	// A key that was used answers as before, whatever is in flight now.
	again := jobLike(other, unique)
	r := commit(t, s, job.Commit{Jobs: []job.Change{again}, Receipt: job.Receipt{Key: "first", Payload: digest(3), Image: other.ID, Job: again.Job.ID, Created: epoch}})
	if r.Job != first {
		t.Errorf("under a key that was used: %s, want %s", r.Job, first)
	}
}

// Fifty ask for the same at once, half of them through another manager: one job, and its identifier for all.
func testConcurrentUnique(t *testing.T, suite Suite) {
	s := suite.Open(t)
	handles := []job.Store{s, suite.Reopen(t, s)}
	im := anImage(t, s, 1)
	var (
		wg      sync.WaitGroup
		answers = make([]job.Receipt, 50)
		errs    = make([]error, 50)
	)
	for i := range answers {
		wg.Go(func() {
			c := jobLike(im, job.Wishes{Unique: true})
			answers[i], errs[i] = handles[i%2].Commit(t.Context(), job.Commit{Jobs: []job.Change{c}, Receipt: job.Receipt{Image: im.ID, Job: c.Job.ID}})
		})
	}
	wg.Wait()
	for i := range answers {
		if errs[i] != nil || answers[i].Job != answers[0].Job {
			t.Fatalf("answer %d: %v, %v; the first was %v", i, answers[i], errs[i], answers[0])
		}
	}
	if jobs := must[[]job.Job](t)(s.Jobs(t.Context(), job.Filter{}, "", 100)); len(jobs) != 1 || jobs[0].ID != answers[0].Job {
		t.Errorf("%d jobs were made", len(jobs))
	}
	if sent := drain(t, s); len(sent) != 1 {
		t.Errorf("%d messages are to be sent", len(sent))
	}
}

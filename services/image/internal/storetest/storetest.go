// Package storetest is what every job.Store must pass. An adapter's own test calls Run with a way to open empty stores.
package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// Suite opens stores. Open gives an empty one, closed by the test's cleanup. Reopen gives another handle on the same data, as a
// second manager, or the same one after its death, would have.
type Suite struct {
	Open   func(t *testing.T) job.Store
	Reopen func(t *testing.T, s job.Store) job.Store
}

// Run tries everything that job.Store promises.
func Run(t *testing.T, s Suite) {
	for name, test := range map[string]func(*testing.T, Suite){
		"Turns":             testTurns,
		"TurnsOfMany":       testTurnsOfMany,
		"TurnsInOrder":      testTurnsInOrder,
		"ClassesApart":      testClassesApart,
		"Backlog":           testBacklog,
		"Unique":            testUnique,
		"ConcurrentUnique":  testConcurrentUnique,
		"Batches":           testBatches,
		"LargeBatch":        testLargeBatch,
		"BatchReceipts":     testBatchReceipts,
		"Notices":           testNotices,
		"Claims":            testClaims,
		"ConcurrentClaims":  testConcurrentClaims,
		"Settle":            testSettle,
		"Replay":            testReplay,
		"NoticesListed":     testNoticesListed,
		"Scheduled":         testScheduled,
		"Expired":           testExpired,
		"ExpireTheOld":      testExpireTheOld,
		"Drop":              testDrop,
		"Unreferenced":      testUnreferenced,
		"Lead":              testLead,
		"Wishes":            testWishes,
		"MoreFilters":       testMoreFilters,
		"Progress":          testProgress,
		"StrangeText":       testStrangeText,
		"RelayHolds":        testRelayHolds,
		"ForgetWhileRelay":  testForgetWhileRelayed,
		"Images":            testImages,
		"Forget":            testForget,
		"Commit":            testCommit,
		"CommitNeedsImage":  testCommitNeedsImage,
		"Receipts":          testReceipts,
		"ConcurrentCreates": testConcurrentCreates,
		"Update":            testUpdate,
		"UpdateRefused":     testUpdateRefused,
		"ConcurrentUpdates": testConcurrentUpdates,
		"JobsAndFilters":    testJobs,
		"Results":           testResults,
		"Outbox":            testOutbox,
		"TwoRelays":         testTwoRelays,
		"Stale":             testStale,
		"Census":            testCensus,
		"Reopened":          testReopened,
		"Cancelled":         testCancelled,
		"ChangedElsewhere":  testChangedElsewhere,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

var (
	ids   = job.NewIDs()
	epoch = time.Date(2026, 5, 4, 3, 2, 1, 123456000, time.UTC)
)

func digest(n int) job.Digest { return job.Digest(fmt.Sprintf("%064x", n)) }

func newImage(n int) job.Image {
	return job.Image{
		ID: ids.Image(epoch), Digest: digest(n), Filename: "naïve 写真.jpg", Created: epoch.Add(time.Duration(n) * time.Microsecond),
		Picture: job.Picture{Format: "jpeg", ContentType: "image/jpeg", Width: 4000, Height: 3000, Pages: 1, HasAlpha: n%2 == 0, Orientation: 6, Size: 1 << 33},
	}
}

func newRecipe() recipe.Recipe {
	return recipe.Recipe{Variants: []recipe.Variant{
		{Name: "a", Steps: []recipe.Step{recipe.Resize{Mode: recipe.Fill, Width: 320, Height: 200, Gravity: recipe.Auto}, recipe.Blur{Sigma: 1.5}},
			Output: recipe.Output{Format: recipe.WebP, Quality: 80}},
		{Name: "b", Output: recipe.Output{Format: recipe.PNG}},
	}}
}

// newJob is accepted, with its first event and its message.
func newJob(im job.Image) job.Commit {
	j, events := job.Accept(job.Job{ID: ids.Job(epoch), ImageID: im.ID, Original: im.Digest, Recipe: newRecipe(), Preset: "web"}, epoch)
	return job.Commit{Jobs: []job.Change{{Job: j, Events: events, Outbox: []job.Outgoing{outgoing(j)}}}}
}

// jobLike is a job with wishes, accepted, with its message unless it waits for its time.
func jobLike(im job.Image, w job.Wishes) job.Change {
	j, events := job.Accept(job.Job{ID: ids.Job(epoch), ImageID: im.ID, Original: im.Digest, Recipe: newRecipe(), Preset: "web", Wishes: w}, epoch)
	c := job.Change{Job: j, Events: events}
	if j.State == job.Queued {
		c.Outbox = []job.Outgoing{outgoing(j)}
	}
	return c
}

// anImage commits an image without a job.
func anImage(t *testing.T, s job.Store, n int) job.Image {
	t.Helper()
	im := newImage(n)
	commit(t, s, job.Commit{Image: &im})
	return im
}

// withWishes commits an image and a job like this on it.
func withWishes(t *testing.T, s job.Store, w job.Wishes) job.Job {
	t.Helper()
	im := newImage(1)
	c := jobLike(im, w)
	commit(t, s, job.Commit{Image: &im, Jobs: []job.Change{c}})
	return c.Job
}

func outgoing(j job.Job) job.Outgoing {
	return job.Outgoing{Topic: job.Tasks, Tenant: j.Tenant, Message: job.Message{Class: j.Class,
		ID: job.NewTask(j).MessageID(), Headers: map[string]string{"x-request-id": "r-1"}, Body: []byte("task of " + j.ID),
	}}
}

// withImage commits an image and a job on it.
func withImage(t *testing.T, s job.Store) (job.Image, job.Job) {
	t.Helper()
	im := newImage(1)
	c := newJob(im)
	c.Image = &im
	commit(t, s, c)
	return im, c.Jobs[0].Job
}

func commit(t *testing.T, s job.Store, c job.Commit) job.Receipt {
	t.Helper()
	r, err := s.Commit(t.Context(), c)
	if err != nil {
		t.Fatalf("committing: %v", err)
	}
	return r
}

// report moves a job by the state machine, as the manager does.
func report(t *testing.T, s job.Store, r job.Report) job.Job {
	t.Helper()
	j, err := s.Update(t.Context(), r.Job, func(j job.Job) (job.Change, error) {
		next, events := job.Apply(j, r, epoch.Add(time.Hour))
		return job.Change{Job: next, Events: events}, nil
	})
	if err != nil {
		t.Fatalf("updating: %v", err)
	}
	return j
}

func finished(j job.Job) job.Report {
	r := job.Report{Job: j.ID, Run: j.Run, Attempt: 1, Kind: job.Finished, Node: "w1", Time: epoch.Add(time.Second)}
	for i, v := range j.Recipe.Variants {
		r.Results = append(r.Results, job.Result{Name: v.Name, Key: "key-" + v.Name, Digest: digest(100 + i), Size: 1 << 34, Format: "webp",
			ContentType: "image/webp", Width: 320, Height: 200, Pages: 3})
	}
	return r
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func wantKind(t *testing.T, what string, err error, k fault.Kind) {
	t.Helper()
	if err == nil || !fault.Is(err, k) {
		t.Errorf("%s: %v, want %v", what, err, k)
	}
}

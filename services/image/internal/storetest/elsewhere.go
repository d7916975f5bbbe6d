package storetest

import (
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// A change is of the job as it stands, whichever manager accepted it, and whichever changed it last.
func testChangedElsewhere(t *testing.T, suite Suite) {
	s := suite.Open(t)
	other := suite.Reopen(t, s)
	_, begun := withImage(t, s)
	_, again := withImage(t, s)
	_, gone := withImage(t, s)
	_, alone := withImage(t, s)
	report(t, other, job.Report{Job: begun.ID, Run: 1, Attempt: 1, Kind: job.Began, Node: "w1", Time: epoch.Add(time.Second)})
	for _, move := range []func(job.Job, time.Time) (job.Job, []job.Event, error){job.Cancel, job.Retry} {
		got, err := other.Update(t.Context(), again.ID, func(j job.Job) (job.Change, error) {
			next, events, err := move(j, epoch.Add(time.Minute))
			return job.Change{Job: next, Events: events}, err
		})
		again = must[job.Job](t)(got, err)
	}
	if _, err := other.Forget(t.Context(), gone.ImageID); err != nil {
		t.Fatal(err)
	}

	first := report(t, s, finished(begun))
	if first.State != job.Succeeded || first.Sequence != 3 {
		t.Errorf("%s with sequence %d after a beginning elsewhere", first.State, first.Sequence)
	}
	same(t, "as it was kept", first, must[job.Job](t)(other.Job(t.Context(), begun.ID)))
	if n := len(must[[]job.Event](t)(s.Events(t.Context(), begun.ID, 0, 10))); n != 3 {
		t.Errorf("%d events", n)
	}
	if second := report(t, s, finished(again)); second.State != job.Succeeded || second.Run != 2 { // which what s knew of it would have refused
		t.Errorf("%s in run %d after a second run was begun elsewhere", second.State, second.Run)
	}
	_, err := s.Update(t.Context(), gone.ID, func(j job.Job) (job.Change, error) {
		next, events := job.Apply(j, finished(gone), epoch.Add(time.Hour))
		return job.Change{Job: next, Events: events}, nil
	})
	wantKind(t, "changing what was forgotten elsewhere", err, fault.NotFound)
	same(t, "changed here alone", job.Succeeded, report(t, s, finished(alone)).State)
}

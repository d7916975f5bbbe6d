package manager_test

import (
	"testing"

	"calotype/services/image/internal/job"
)

// A story longer than what is read at once comes whole, over every end that a retry undid.
func TestWatchALongStory(t *testing.T) {
	w := begin(t, still)
	a := w.create(thumb())
	for range 80 {
		if _, err := w.Jobs.Cancel(t.Context(), a.Job.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Jobs.Retry(t.Context(), a.Job.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Jobs.Cancel(t.Context(), a.Job.ID); err != nil {
		t.Fatal(err)
	}
	j, story := w.ended(a.Job.ID)
	if len(story) != 162 || j.Run != 81 || j.State != job.Cancelled {
		t.Fatalf("%d events, run %d, %s", len(story), j.Run, j.State)
	}
	for i, e := range story {
		if e.Sequence != int64(i+1) {
			t.Errorf("event %d has sequence %d", i, e.Sequence)
		}
	}
}

package manager_test

import (
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// Reports that came in one message: each is applied, one of a forgotten job keeps none back, and coming twice changes nothing.
func TestReportsThatComeTogether(t *testing.T) {
	w := begin(t)
	var told []job.Told
	for range 5 {
		a := w.create(thumb())
		told = append(told, job.Told{Report: job.Report{Job: a.Job.ID, Run: 1, Attempt: 1, Kind: job.Finished, Node: "played", Time: time.Now(), Results: made(job.Task{Recipe: a.Job.Recipe})}})
	}
	gone := told[0]
	gone.Report.Job = "job_none"
	for _, id := range []string{"m1", "m2"} {
		m, err := job.ReportsMessage(append(told, gone)...)
		if err != nil {
			t.Fatal(err)
		}
		m.ID = id
		if err := w.queue.Publish(t.Context(), job.Reports, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range told {
		j, story := w.ended(one.Report.Job)
		wantStory(t, story, job.Succeeded)
		if len(story) != 2 || j.Attempts != 1 || len(j.Results) != 2 {
			t.Errorf("the job is %+v", j)
		}
	}
	eventually(t, "all reports are done with", func() bool {
		d, err := w.queue.Depth(t.Context(), job.Reports)
		return err == nil && d.Ready+d.Leased == 0
	})
}

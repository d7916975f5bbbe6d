package job_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"calotype/services/image/internal/job"
)

func TestReportsComeOutAsTheyWentIn(t *testing.T) {
	a := job.Told{Report: job.Report{Job: "job_1", Run: 1, Attempt: 1, Kind: job.Finished, Time: now, Started: now.Add(-time.Second), Results: []job.Result{{Name: "a"}}}, Headers: map[string]string{"trace": "1"}}
	b := job.Told{Report: job.Report{Job: "job_2", Run: 1, Attempt: 1, Kind: job.GaveUp, Time: now, Failure: &job.Failure{Reason: "X"}}}
	ids := map[string]bool{}
	for _, told := range [][]job.Told{{a}, {b}, {a, b}, {b, a, a}} {
		m, err := job.ReportsMessage(told...)
		if err != nil {
			t.Fatal(err)
		}
		ids[m.ID] = true
		got, err := job.ReadReports(m)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(told, got); d != "" {
			t.Error(d)
		}
	}
	if len(ids) != 4 {
		t.Errorf("the messages are %v", ids)
	}
	for _, body := range []string{"", "{}", "[]", `{"told":[{"report":{}}]}`, `{"told":[{"report":{"job":"job_1"}},{}]}`} {
		if _, err := job.ReadReports(job.Message{Body: []byte(body)}); err == nil {
			t.Errorf("%s was read", body)
		}
	}
}

// A report of the end tells when the work began, unless that was told before.
func TestAnEndTellsTheBeginning(t *testing.T) {
	from := standing(job.Queued)
	began := from.Updated.Add(time.Second)
	for _, kind := range []job.ReportKind{job.Finished, job.GaveUp, job.Postpone} {
		r := job.Report{Job: "job_1", Run: 2, Attempt: from.Attempts + 1, Kind: kind, Time: began.Add(time.Second), Started: began}
		for _, v := range from.Recipe.Variants {
			r.Results = append(r.Results, job.Result{Name: v.Name})
		}
		got, _ := job.Apply(from, r, began.Add(time.Hour))
		if !got.Started.Equal(began) {
			t.Errorf("%s: started %v, want %v", kind, got.Started, began)
		}
		running := standing(job.Running)
		r.Attempt = running.Attempts
		if got, _ := job.Apply(running, r, began.Add(time.Hour)); !got.Started.Equal(running.Started) {
			t.Errorf("%s: started %v, want %v", kind, got.Started, running.Started)
		}
	}
}

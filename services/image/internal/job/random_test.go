package job_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"calotype/services/image/internal/job"
)

// Reports that are lost, late, repeated and reordered, mixed with callers' wishes, never break what must hold of a job's story.
func TestAnyStoryHolds(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		story := []job.Event{}
		j, events := job.Accept(standing(job.Queued), begin)
		j.Run, j.Sequence = 1, 1
		events[0].Sequence = 1
		for range 30 {
			story = append(story, events...)
			before := j
			j, events = step(r, j)
			if len(events) == 0 {
				if !reflect.DeepEqual(before, j) {
					t.Fatalf("seed %d: a change without an event: %+v became %+v", seed, before, j)
				}
				continue
			}
			if before.State.Ended() && j.Run == before.Run {
				t.Fatalf("seed %d: %s became %s without a retry", seed, before.State, j.State)
			}
			if j.State.Ended() == j.Ended.IsZero() || (j.State == job.Succeeded) != (len(j.Results) == 2) {
				t.Fatalf("seed %d: inconsistent %+v", seed, j)
			}
		}
		story = append(story, events...)
		for i, e := range story {
			if e.Sequence != int64(i)+1 {
				t.Fatalf("seed %d: event %d has sequence %d", seed, i, e.Sequence)
			}
			if i > 0 && e.Time.Before(story[i-1].Time) {
				t.Fatalf("seed %d: event %d goes back in time", seed, i)
			}
		}
		if last := story[len(story)-1]; last.State != j.State || last.Sequence != j.Sequence {
			t.Fatalf("seed %d: the story ends with %+v, the job is %+v", seed, last, j)
		}
	}
}

func step(r *rand.Rand, j job.Job) (job.Job, []job.Event) {
	kinds := []job.ReportKind{job.Began, job.Began, job.Began, job.Postpone, job.Postpone, job.Finished, job.GaveUp}
	when := at(r.IntN(600))
	switch r.IntN(12) {
	case 0:
		j, e, _ := job.Cancel(j, when)
		return j, e
	case 1, 2:
		j, e, _ := job.Retry(j, when)
		return j, e
	case 3:
		return job.Bury(j, j.Run-r.IntN(2), job.Failure{Reason: "SET_ASIDE"}, when)
	case 4:
		return job.Requeue(j, 3, when)
	}
	report := job.Report{
		Job: j.ID, Run: j.Run - r.IntN(2), Attempt: 1 + r.IntN(4), Kind: kinds[r.IntN(len(kinds))],
		Node: fmt.Sprint("w", r.IntN(3)), Time: at(r.IntN(600)), Results: results("a", "b")[:1+min(1, r.IntN(4))],
	}
	next, events := job.Apply(j, report, when)
	if again, more := job.Apply(next, report, when); len(more) > 0 {
		panic(fmt.Sprintf("%+v applied twice to %+v gives %+v, then %+v", report, j, next, again))
	}
	return next, events
}

// Package report says what came of each fault: who failed, how long, and whether that is within its limits. It works on what was noted,
// and so can be tried without breaking anything.
package report

import (
	"slices"
	"time"

	"calotype/test/chaos/internal/load"
	"calotype/test/chaos/internal/plan"
)

// Done is a step as it went.
type Done struct {
	plan.Step
	Targets []string  // what it came to, a leader's name included
	Began   time.Time // the fault
	Undone  time.Time // when putting it right began
	Healed  time.Time // when all was well again
	Closed  time.Time // when its rest was over
	Err     string    // it could not be done, or not healed
}

// Row is a step in the table.
type Row struct {
	Fault    string        `json:"fault"`
	Targets  []string      `json:"targets"`
	Began    time.Time     `json:"began"`
	Window   time.Duration `json:"window_ns"` // from the fault until its rest was over
	Healed   time.Duration `json:"healed_ns"` // from the fault until all was well again
	Requests int           `json:"requests"`
	Failed   int           `json:"failed"`
	Refused  int           `json:"refused"` // by a 503 with Retry-After that is allowed here
	Slow     int           `json:"slow"`
	// RefusedIn is how long all but one in a hundred refusals took at most, of requests that were due before it was put right: who asks a
	// service that is starting may wait for it.
	RefusedIn time.Duration `json:"refused_p99_ns"`
	Before    Latency       `json:"before"`
	During    Latency       `json:"during"` // until all was well again
	After     Latency       `json:"after"`
	Failing   time.Duration `json:"failing_ns"`  // no request that was due later failed
	Recovery  time.Duration `json:"recovery_ns"` // nor was one slow
	Jobs      time.Duration `json:"jobs_ns"`     // no job that was accepted later was slow
	Limits    plan.Limits   `json:"limits"`
	Broken    []string      `json:"broken"` // the limits that were not kept
	Late      []string      `json:"late"`   // the times that were not kept
	Failures  []Failure     `json:"failures,omitempty"`
	Err       string        `json:"error,omitempty"`
}

// Latency is of good requests only.
type Latency struct {
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
	Worst time.Duration `json:"worst_ns"`
}

// Failure is one request that failed, or was slow.
type Failure struct {
	After time.Duration `json:"after_ns"` // it was due so long after the fault
	Kind  string        `json:"kind"`
	Took  time.Duration `json:"took_ns"`
	Note  string        `json:"note"`
}

const (
	baseline = 15 * time.Second // before a fault, to compare with
	// slowAtLeast is what nobody calls slow, whatever was usual.
	slowAtLeast = time.Second
	slowTimes   = 4 // the usual p99
)

// Evaluate makes the rows. Each request belongs to the step in whose window it was due, or to the one that met it on its way.
func Evaluate(done []Done, samples []load.Sample) []Row {
	rows := make([]Row, 0, len(done))
	for _, d := range done {
		rows = append(rows, evaluate(d, samples))
	}
	return rows
}

func evaluate(d Done, samples []load.Sample) Row {
	r := Row{Fault: d.Name, Targets: d.Targets, Began: d.Began, Window: d.Closed.Sub(d.Began), Healed: d.Healed.Sub(d.Began), Limits: d.Limits, Err: d.Err}
	var before, during, after []load.Sample
	for _, s := range samples {
		switch {
		case s.Due.Before(d.Began) && s.End().Before(d.Began):
			if s.Due.After(d.Began.Add(-baseline)) {
				before = append(before, s)
			}
		case s.Due.After(d.Closed):
		case s.Due.After(d.Healed):
			after = append(after, s)
		default:
			during = append(during, s)
		}
	}
	r.Before, r.During, r.After = latency(before), latency(during), latency(after)
	slow := slowness(before)
	var refusals []time.Duration
	for _, s := range slices.Concat(during, after) {
		r.Requests++
		bad := false
		switch {
		case s.Outcome == load.Failed || s.Outcome == load.Refused && d.Limits.Refusing == 0:
			r.Failed++
			bad = true
			r.Failing = max(r.Failing, s.Due.Sub(d.Began))
		case s.Outcome == load.Refused:
			r.Refused++
			if s.Due.Before(d.Undone) {
				refusals = append(refusals, s.Took)
			}
			if s.Took > d.Limits.Refusing {
				r.Failures = append(r.Failures, Failure{s.Due.Sub(d.Began), s.Kind, s.Took, "refused late: " + s.Note})
			}
		case s.Took > max(slow[s.Kind], slowAtLeast):
			r.Slow++
			bad = true
			s.Note = "slow"
		}
		if bad {
			at := max(0, s.Due.Sub(d.Began))
			if s.Behind {
				r.Jobs = max(r.Jobs, at)
			} else {
				r.Recovery = max(r.Recovery, at)
			}
			r.Failures = append(r.Failures, Failure{at, s.Kind, s.Took, s.Note})
		}
	}
	slices.SortFunc(r.Failures, func(a, b Failure) int { return int(a.After - b.After) })
	_, r.RefusedIn, _ = quantiles(refusals)
	r.judge()
	return r
}

// few failed requests break no limit but that of none: they were in flight at a part that was killed, and a window of a thousand
// requests cannot tell one in a thousand from two.
const few = 2

// slowness is, by kind, what is longer than anybody was used to.
func slowness(before []load.Sample) map[string]time.Duration {
	kinds := map[string][]time.Duration{}
	for _, s := range before {
		if s.Outcome == load.Good {
			kinds[s.Kind] = append(kinds[s.Kind], s.Took)
		}
	}
	slow := map[string]time.Duration{}
	for kind, took := range kinds {
		_, p99, _ := quantiles(took)
		slow[kind] = max(slowAtLeast, slowTimes*p99)
	}
	return slow
}

func (r *Row) judge() {
	if r.Err != "" {
		r.Broken = append(r.Broken, r.Err)
	}
	if r.Requests == 0 {
		r.Broken = append(r.Broken, "nobody asked")
		return
	}
	if rate := float64(r.Failed) / float64(r.Requests); rate > r.Limits.Failed && (r.Limits.Failed == 0 || r.Failed > few) {
		r.Broken = append(r.Broken, "failed "+percent(rate)+" > "+percent(r.Limits.Failed))
	}
	if r.Limits.Recovery >= 0 && r.Recovery > r.Limits.Recovery {
		r.Late = append(r.Late, "recovery "+seconds(r.Recovery)+" > "+seconds(r.Limits.Recovery))
	}
	if r.Limits.Jobs > 0 && r.Jobs > r.Limits.Jobs {
		r.Late = append(r.Late, "jobs slow for "+seconds(r.Jobs)+" > "+seconds(r.Limits.Jobs))
	}
	if r.Refused > 0 && r.RefusedIn > r.Limits.Refusing {
		r.Late = append(r.Late, "refused in "+seconds(r.RefusedIn)+" > "+seconds(r.Limits.Refusing))
	}
}

func latency(samples []load.Sample) Latency {
	var took []time.Duration
	for _, s := range samples {
		if s.Outcome == load.Good {
			took = append(took, s.Took)
		}
	}
	var l Latency
	l.P50, l.P99, l.Worst = quantiles(took)
	return l
}

// quantiles are the nearest ranks; of nothing, they are 0.
func quantiles(took []time.Duration) (p50, p99, worst time.Duration) {
	if len(took) == 0 {
		return 0, 0, 0
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
}

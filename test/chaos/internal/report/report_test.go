package report

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"calotype/test/chaos/internal/load"
	"calotype/test/chaos/internal/plan"
)

var began = time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }

// fault is a step from second 60 on, put right at 65, well at 70, closed at 80.
func fault(l plan.Limits) []Done {
	return []Done{{Step: plan.Step{Name: "kill x", Limits: l}, Began: at(60), Undone: at(65), Healed: at(70), Closed: at(80)}}
}

// steady is a good request of 10 ms every 0.1 s for 100 s, but for those that change says otherwise of.
func steady(change func(s *load.Sample, second float64)) (all []load.Sample) {
	for i := range 1000 {
		s := load.Sample{Kind: "greet", Due: at(float64(i) / 10), Took: 10 * time.Millisecond}
		if change != nil {
			change(&s, float64(i)/10)
		}
		all = append(all, s)
	}
	return all
}

var limits = plan.Limits{Failed: 0.01, Recovery: time.Second}

func TestEvaluate(t *testing.T) {
	failed := func(from, to float64) func(*load.Sample, float64) {
		return func(s *load.Sample, second float64) {
			if second >= from && second <= to {
				s.Outcome = load.Failed
			}
		}
	}
	slow := func(second float64, took time.Duration) func(*load.Sample, float64) {
		return func(s *load.Sample, at float64) {
			if at == second {
				s.Took = took
			}
		}
	}
	refusedFrom := func(from float64, took time.Duration) func(*load.Sample, float64) {
		return func(s *load.Sample, second float64) {
			if second > from && second < from+3 {
				s.Outcome, s.Took = load.Refused, took
			}
		}
	}
	refused := func(took time.Duration) func(*load.Sample, float64) { return refusedFrom(61, took) }
	behind := func(second float64, took time.Duration) func(*load.Sample, float64) {
		return func(s *load.Sample, at float64) {
			slow(second, took)(s, at)
			s.Behind = at == second
		}
	}
	outage := plan.Limits{Recovery: -1, Refusing: 200 * time.Millisecond}
	for what, c := range map[string]struct {
		change          func(*load.Sample, float64)
		limits          plan.Limits
		failed, refused int
		recovery        time.Duration
		broken, late    int
	}{
		"nothing happens":                       {nil, limits, 0, 0, 0, 0, 0},
		"two fail at once, of 201":              {failed(60, 60.1), limits, 2, 0, 100 * time.Millisecond, 0, 0},
		"more fail than may":                    {failed(60, 60.25), limits, 3, 0, 200 * time.Millisecond, 1, 0},
		"one fails late":                        {failed(72.5, 72.5), limits, 1, 0, 12500 * time.Millisecond, 0, 1},
		"one fails late, which is allowed":      {failed(72.5, 72.5), plan.Limits{Failed: 0.01, Recovery: -1}, 1, 0, 12500 * time.Millisecond, 0, 0},
		"none may fail":                         {failed(61, 61), plan.Limits{Recovery: -1}, 1, 0, time.Second, 1, 0},
		"before and after its window":           {func(s *load.Sample, at float64) { failed(50, 55)(s, at); failed(85, 90)(s, at) }, limits, 0, 0, 0, 0, 0},
		"under way when it began":               {func(s *load.Sample, at float64) { failed(59, 59)(s, at); slow(59, 3*time.Second)(s, at) }, limits, 1, 0, 0, 0, 0},
		"slow, but not as much as 1 s":          {slow(63, 990*time.Millisecond), limits, 0, 0, 0, 0, 0},
		"slow":                                  {slow(63, 1100*time.Millisecond), limits, 0, 0, 3 * time.Second, 0, 1},
		"a slow job, of which nothing is said":  {behind(63, 1100*time.Millisecond), limits, 0, 0, 0, 0, 0},
		"a slow job":                            {behind(63, 1100*time.Millisecond), plan.Limits{Failed: 0.01, Recovery: time.Second, Jobs: 2 * time.Second}, 0, 0, 0, 0, 1},
		"a slow job in time":                    {behind(61, 1100*time.Millisecond), plan.Limits{Failed: 0.01, Recovery: time.Second, Jobs: 2 * time.Second}, 0, 0, 0, 0, 0},
		"refused though it should not be":       {refused(time.Millisecond), limits, 29, 0, 3900 * time.Millisecond, 1, 1},
		"refused as it should be":               {refused(time.Millisecond), outage, 0, 29, 0, 0, 0},
		"refused as it should be, but too late": {refused(300 * time.Millisecond), outage, 0, 29, 0, 0, 1},
		"refused late by what is starting":      {refusedFrom(66, 300*time.Millisecond), outage, 0, 29, 0, 0, 0},
	} {
		r := Evaluate(fault(c.limits), steady(c.change))[0]
		if r.Failed != c.failed || r.Refused != c.refused || r.Recovery.Round(time.Millisecond) != c.recovery || len(r.Broken) != c.broken || len(r.Late) != c.late {
			t.Errorf("%s: failed %d, refused %d, recovery %v, broken %v, late %v", what, r.Failed, r.Refused, r.Recovery, r.Broken, r.Late)
		}
		if n := r.Requests; n != 201 && what != "under way when it began" || what == "under way when it began" && n != 202 {
			t.Errorf("%s: %d requests", what, n)
		}
	}
}

func TestWhatIsUsualIsNotSlow(t *testing.T) {
	usual := func(s *load.Sample, _ float64) { s.Took = 600 * time.Millisecond }
	r := Evaluate(fault(limits), steady(func(s *load.Sample, at float64) {
		usual(s, at)
		if at == 62 {
			s.Took = 2 * time.Second
		}
	}))[0]
	if r.Slow != 0 || r.During.Worst != 2*time.Second || r.Before.P99 != 600*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

func TestNobodyAskedIsNoSuccess(t *testing.T) {
	if r := Evaluate(fault(limits), nil)[0]; len(r.Broken) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestReport(t *testing.T) {
	late := func(s *load.Sample, at float64) {
		if at == 65 || at == 20 {
			s.Outcome, s.Note = load.Failed, "503, request req_1"
		}
	}
	good := Ledger{Acknowledged: 10, Succeeded: 10, Webhooks: 10}
	for what, c := range map[string]struct {
		times  bool
		ledger Ledger
		change func(*load.Sample, float64)
		broken string
	}{
		"all is well":               {true, good, nil, ""},
		"a time counts":             {true, good, late, "recovery 5.0 s > 1.0 s"},
		"something was lost":        {false, Ledger{Acknowledged: 10, Wrong: []string{"job_1"}}, nil, "1 of what was acknowledged"},
		"nothing was acknowledged":  {false, Ledger{}, nil, "nothing was acknowledged"},
		"failures without a reason": {false, good, func(s *load.Sample, at float64) { s.Outcome = load.Outcome(2 * (int(at) / 90)) }, "while nothing was broken"},
	} {
		r := &Report{Plan: "short", Seed: 42, TimesCount: c.times, Ledger: c.ledger}
		r.Finish(fault(limits), steady(c.change))
		if c.broken == "" && len(r.Broken) > 0 || c.broken != "" && !slices.ContainsFunc(r.Broken, func(s string) bool { return strings.Contains(s, c.broken) }) {
			t.Errorf("%s: broken is %q", what, r.Broken)
		}
	}
	r := &Report{Plan: "short", Seed: 42, Ledger: good}
	r.Finish(fault(limits), steady(late))
	if len(r.Broken) > 0 || r.Quiet.Failed != 1 || r.Kinds[0].Failed != 2 || r.Kinds[0].Requests != 1000 {
		t.Errorf("%+v", r)
	}
	folder := t.TempDir()
	file, err := r.Write(folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	for _, want := range []string{"# Chaos, plan short: passed", "Seed 42", "| kill x | 201 | 1 (0.498 %) | 1 % | - | 5.0 s | 5.0 s | 1.0 s | 0.0 s | - | 10.0 s | 10 ms/10 ms |", "| late |", "503, request req_1", "1 of 799 requests failed"} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: %q is not in\n%s", err, want, text)
		}
	}
	b, err := os.ReadFile(folder + "/short.json")
	back := &Report{}
	if err != nil || json.Unmarshal(b, back) != nil || back.Steps[0].Failed != 1 || back.Steps[0].Failures[0].Note != "503, request req_1" {
		t.Errorf("%v %s", err, b)
	}
}

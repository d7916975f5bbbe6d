package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"calotype/test/chaos/internal/load"
)

// Report is a whole run.
type Report struct {
	Plan      string        `json:"plan"`
	Seed      uint64        `json:"seed"`
	Began     time.Time     `json:"began"`
	Lasted    time.Duration `json:"lasted_ns"`
	PerSecond float64       `json:"per_second"`
	Steps     []Row         `json:"steps"`
	Kinds     []KindRow     `json:"kinds"`
	Quiet     Quiet         `json:"quiet"`
	Ledger    Ledger        `json:"ledger"`
	// TimesCount says whether times that were not kept break the run, as on a machine that does nothing else.
	TimesCount bool     `json:"times_count"`
	Broken     []string `json:"broken"`
}

// KindRow is one sort of request over the whole run.
type KindRow struct {
	Kind     string  `json:"kind"`
	Requests int     `json:"requests"`
	Failed   int     `json:"failed"`
	Refused  int     `json:"refused"`
	Latency  Latency `json:"latency"`
}

// Quiet is what went wrong while nothing was broken.
type Quiet struct {
	Requests int       `json:"requests"`
	Failed   int       `json:"failed"`
	Failures []Failure `json:"failures,omitempty"`
}

// Ledger is what became of what was acknowledged.
type Ledger struct {
	Acknowledged  int           `json:"acknowledged"`
	Refused       int           `json:"refused"`
	Succeeded     int           `json:"succeeded"`
	Webhooks      int           `json:"webhooks"`
	Copies        int           `json:"webhook_copies"` // of a webhook under the same id, which receivers drop
	Repeated      int           `json:"repeated"`       // jobs that needed more than one attempt
	Settled       time.Duration `json:"settled_ns"`     // from the last upload until every job had ended
	LongestInLine time.Duration `json:"longest_in_line_ns"`
	Wrong         []string      `json:"wrong"` // lost, altered, ended twice, told twice or not told
}

// Finish adds what is told of the samples as a whole, and judges.
func (r *Report) Finish(done []Done, samples []load.Sample) {
	r.Steps = Evaluate(done, samples)
	r.Kinds = kinds(samples)
	r.Quiet = quiet(done, samples)
	for _, s := range r.Steps {
		for _, b := range s.Broken {
			r.Broken = append(r.Broken, s.Fault+": "+b)
		}
		if r.TimesCount {
			for _, l := range s.Late {
				r.Broken = append(r.Broken, s.Fault+": "+l)
			}
		}
	}
	if r.Quiet.Failed > max(1, r.Quiet.Requests/1000) {
		r.Broken = append(r.Broken, fmt.Sprintf("%d of %d requests failed while nothing was broken", r.Quiet.Failed, r.Quiet.Requests))
	}
	if n := len(r.Ledger.Wrong); n > 0 {
		r.Broken = append(r.Broken, fmt.Sprintf("%d of what was acknowledged did not become what was promised", n))
	}
	if r.Ledger.Acknowledged == 0 {
		r.Broken = append(r.Broken, "nothing was acknowledged")
	}
}

func kinds(samples []load.Sample) []KindRow {
	by := map[string][]load.Sample{}
	for _, s := range samples {
		by[s.Kind] = append(by[s.Kind], s)
	}
	var rows []KindRow
	for kind, all := range by {
		row := KindRow{Kind: kind, Requests: len(all), Latency: latency(all)}
		for _, s := range all {
			switch s.Outcome {
			case load.Failed:
				row.Failed++
			case load.Refused:
				row.Refused++
			case load.Good:
			}
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b KindRow) int { return strings.Compare(a.Kind, b.Kind) })
	return rows
}

// quiet is of the requests that no step's window holds.
func quiet(done []Done, samples []load.Sample) (q Quiet) {
	for _, s := range samples {
		if slices.ContainsFunc(done, func(d Done) bool { return !s.End().Before(d.Began) && !s.Due.After(d.Closed) }) {
			continue
		}
		q.Requests++
		if s.Outcome != load.Good {
			q.Failed++
			q.Failures = append(q.Failures, Failure{Kind: s.Kind, Took: s.Took, Note: s.Due.UTC().Format(time.RFC3339Nano) + " " + s.Note})
		}
	}
	return q
}

// Write puts the report into a folder as Markdown and JSON, under the plan's name, and tells where.
func (r *Report) Write(folder string) (markdown string, _ error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(folder, r.Plan+".json"), b, 0o644); err != nil {
		return "", err
	}
	markdown = filepath.Join(folder, r.Plan+".md")
	return markdown, os.WriteFile(markdown, []byte(r.Markdown()), 0o644)
}

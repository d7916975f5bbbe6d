package job

import (
	"time"

	"calotype/services/image/internal/recipe"
)

// The topics of the queue. What is set aside from Tasks is found in DeadTasks.
const (
	Tasks     = "tasks"
	DeadTasks = "tasks.dead"
	Reports   = "reports"
)

// Task tells a worker what to make. It carries all a worker needs, so that no worker asks a manager anything.
type Task struct {
	Job      ID            `json:"job"`
	Run      int           `json:"run"`
	Original Digest        `json:"original"`
	Recipe   recipe.Recipe `json:"recipe"`
}

// ReportKind says what a worker tells.
type ReportKind string

// The kinds of report.
const (
	Began    ReportKind = "began"    // an attempt began
	Postpone ReportKind = "postpone" // the attempt failed on something that may pass; it is tried again
	Finished ReportKind = "finished" // every result is stored
	GaveUp   ReportKind = "gave_up"  // it cannot succeed
)

// Report tells any manager what became of a delivery. Reports may come twice, late, or out of order; (Job, Run, Attempt) places them.
type Report struct {
	Job     ID         `json:"job"`
	Run     int        `json:"run"`
	Attempt int        `json:"attempt"`
	Kind    ReportKind `json:"kind"`
	Node    string     `json:"node"`
	Time    time.Time  `json:"time"`
	Results []Result   `json:"results,omitempty"`
	Failure *Failure   `json:"failure,omitempty"`
}

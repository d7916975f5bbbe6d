package job

import (
	"encoding/json"
	"errors"
	"fmt"
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
	// MaxAttempts is how often it is tried; 0: as often as the node's configuration says.
	MaxAttempts int `json:"max_attempts,omitempty"`
}

// ReadTask takes a message apart. Fails when it is no task, or one of another version.
func ReadTask(m Message, recipes *recipe.Reader) (Task, error) {
	var read struct {
		Task
		Recipe json.RawMessage `json:"recipe"`
	}
	err := json.Unmarshal(m.Body, &read)
	if err == nil {
		read.Task.Recipe, err = recipes.Read(read.Recipe)
	}
	if err == nil && (read.Job == "" || !read.Original.Valid()) {
		err = errors.New("the task names no job, or no original")
	}
	return read.Task, err
}

// Message puts the task into a message's body, from which ReadTask reads it.
func (t Task) Message(recipes *recipe.Writer) ([]byte, error) {
	text, err := recipes.Write(t.Recipe)
	if err != nil {
		return nil, err
	}
	return json.Marshal(struct {
		Task
		Recipe json.RawMessage `json:"recipe"`
	}{t, json.RawMessage(text)})
}

// NewTask says what is to be made for a job's present run.
func NewTask(j Job) Task {
	return Task{Job: j.ID, Run: j.Run, Original: j.Original, Recipe: j.Recipe, MaxAttempts: j.MaxAttempts}
}

// MessageID is the identifier under which the task is published: the same for the whole run, so that publishing it again while the
// queue still has it is one message.
func (t Task) MessageID() string { return fmt.Sprintf("%s.%d", t.Job, t.Run) }

// ReportKind says what a worker tells.
type ReportKind string

// The kinds of report.
const (
	Began      ReportKind = "began"    // an attempt began
	Progressed ReportKind = "progress" // it has come so far; losing it does no harm
	Postpone   ReportKind = "postpone" // the attempt failed on something that may pass; it is tried again
	Finished   ReportKind = "finished" // every result is stored
	GaveUp     ReportKind = "gave_up"  // it cannot succeed
)

// Report tells any manager what became of a delivery. Reports may come twice, late, or out of order; (Job, Run, Attempt) places them.
type Report struct {
	Job      ID         `json:"job"`
	Run      int        `json:"run"`
	Attempt  int        `json:"attempt"`
	Kind     ReportKind `json:"kind"`
	Node     string     `json:"node"`
	Time     time.Time  `json:"time"`
	Started  time.Time  `json:"started,omitzero"` // when the attempt began, for whom nobody told
	Progress *Progress  `json:"progress,omitempty"`
	Results  []Result   `json:"results,omitempty"`
	Failure  *Failure   `json:"failure,omitempty"`
}

// MessageID is the identifier under which the report is published: the same when a delivery tells the same thing again.
func (r Report) MessageID() string {
	if r.Kind == Progressed && r.Progress != nil {
		return fmt.Sprintf("%s.%d.%d.%s.%d", r.Job, r.Run, r.Attempt, r.Kind, r.Progress.Percent)
	}
	return fmt.Sprintf("%s.%d.%d.%s", r.Job, r.Run, r.Attempt, r.Kind)
}

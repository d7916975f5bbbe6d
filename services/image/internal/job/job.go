// Package job is the domain of the image service: originals, jobs, what happens to them, and the ports through which they are
// kept and queued. It knows no database, no broker, no wire format and no pixels.
package job

import (
	"time"

	"calotype/services/image/internal/recipe"
)

// ImageID names an original: "img_" and a ULID.
type ImageID string

// ID names a job: "job_" and a ULID.
type ID string

// Digest is the sha256 of stored bytes, 64 lower-case hexadecimal digits.
type Digest string

// Picture is what the content of a file says it is.
type Picture struct {
	Format      string // "jpeg", "png", ...
	ContentType string
	Width       int // pixels, after EXIF orientation
	Height      int // pixels of one frame, after EXIF orientation
	Pages       int
	HasAlpha    bool
	Orientation int   // EXIF, 1..8
	Size        int64 // bytes
}

// Image is a registered original.
type Image struct {
	ID       ImageID
	Digest   Digest
	Filename string
	Created  time.Time
	Picture
}

// State says where a job stands. Every job ends.
type State string

// The states. The last four are ends.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Dead      State = "dead"
)

// Ended reports whether a job in this state does nothing more by itself.
func (s State) Ended() bool {
	return s == Succeeded || s == Failed || s == Cancelled || s == Dead
}

// Job is one run of a recipe on an original.
type Job struct {
	ID       ID
	ImageID  ImageID
	Original Digest
	State    State
	Recipe   recipe.Recipe
	Preset   string
	// Run counts how often the job was queued, from 1: once, and once more for each retry that somebody asked for. What
	// is reported about an earlier run is stale and changes nothing.
	Run      int
	Attempts int // deliveries begun since it was queued last
	Requeues int // times it was queued again in this run because nothing moved it
	// Sequence is that of its newest event: it goes up by one with every change.
	Sequence int64
	Results  []Result
	Failure  *Failure
	Node     string
	Created  time.Time
	Started  time.Time // zero before
	Ended    time.Time // zero before
	Updated  time.Time // when its newest event happened
}

// Result is one finished variant; its bytes are in storage under Digest.
type Result struct {
	Name        string
	Key         string
	Digest      Digest
	Size        int64
	Format      string
	ContentType string
	Width       int
	Height      int
	Pages       int
}

// Failure says why something did not succeed: a word for machines, a sentence for people.
type Failure struct {
	Reason  string
	Message string
	Variant string
}

// Event is one thing that happened to a job. Sequences count from 1 for each job, without gaps.
type Event struct {
	Job      ID
	Sequence int64
	Time     time.Time
	State    State
	Attempt  int
	Node     string
	Failure  *Failure
}

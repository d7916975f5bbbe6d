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

// BatchID names a batch: "bat_" and a ULID.
type BatchID string

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

// Input is the bytes that pictures are made of.
type Input struct {
	Data   []byte            // the original
	Layers map[Digest][]byte // other originals, which overlays name
	// Stands is the original that Data is a reduced copy of, upright, opaque and in sRGB; nil where Data is the original.
	Stands *Picture
}

// Image is a registered original.
type Image struct {
	ID       ImageID
	Digest   Digest
	Filename string
	Created  time.Time
	Expires  time.Time // when it is forgotten; zero: never
	Picture
}

// State says where a job stands. Every job ends.
type State string

// The states. The last four are ends.
const (
	Scheduled State = "scheduled" // waits for its time; no message of it is anywhere
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

// States are all of them.
func States() []State {
	return []State{Scheduled, Queued, Running, Succeeded, Failed, Cancelled, Dead}
}

// Class says how urgent a job is.
type Class string

// The classes, the most urgent first. Whoever has no word for it means Normal.
const (
	Interactive Class = "interactive"
	Normal      Class = "normal"
	Bulk        Class = "bulk"
)

// Classes are all of them, the most urgent first.
func Classes() []Class { return []Class{Interactive, Normal, Bulk} }

// OrNormal gives the class, and Normal for none.
func (c Class) OrNormal() Class {
	if c == "" {
		return Normal
	}
	return c
}

// Weight is the class's share of the deliveries while messages of several classes wait: none starves.
func (c Class) Weight() int {
	switch c {
	case Interactive:
		return 8
	case Bulk:
		return 1
	}
	return 3
}

// Wishes are what a caller may ask for beside the pictures. The zero value asks for nothing special.
type Wishes struct {
	Tenant      string // whose work it is; tenants take turns
	Class       Class
	MaxAttempts int           // how often it is tried; 0: as often as the node's configuration says
	NotBefore   time.Time     // it waits until then; zero: it does not wait
	Keep        time.Duration // how long it is kept after its end, with its results; 0: as long as its image
	Webhook     string        // where its end is told; empty: nowhere
	Unique      bool          // while it has not ended, asking for the same of the same original gives this job
}

// Progress says how far a running job is.
type Progress struct {
	Phase   string `json:"phase"`   // "fetching", "decoding", "rendering", "storing"
	Percent int    `json:"percent"` // of the whole job, 0..100
}

// Job is one run of a recipe on an original.
type Job struct {
	ID       ID
	ImageID  ImageID
	BatchID  BatchID // empty: none
	Original Digest
	State    State
	Recipe   recipe.Recipe
	Preset   string
	Wishes
	// Run counts how often the job was queued, from 1: once, and once more for each retry that somebody asked for. What
	// is reported about an earlier run is stale and changes nothing.
	Run      int
	Attempts int // deliveries begun since it was queued last
	Requeues int // times it was queued again in this run because nothing moved it
	// Sequence is that of its newest event: it goes up by one with every change.
	Sequence int64
	Progress Progress // of the present attempt
	Results  []Result
	Failure  *Failure
	Node     string
	Created  time.Time
	Started  time.Time // zero before
	Ended    time.Time // zero before
	Expires  time.Time // when it is dropped; zero: not yet known, or never
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
	Progress Progress
	Failure  *Failure
}

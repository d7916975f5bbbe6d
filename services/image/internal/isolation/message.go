package isolation

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/worker"
)

// kind says what a message is.
type kind string

const (
	hello   kind = "hello"   // to a helper that starts
	inspect kind = "inspect" // to an idle helper
	render  kind = "render"
	stop    kind = "stop" // to a busy one: the call with that number is to end

	ready    kind = "ready" // from a helper: it can take calls now
	progress kind = "progress"
	done     kind = "done"
	failed   kind = "failed"
)

// message is the head of a frame, in either direction.
type message struct {
	Kind kind   `json:"kind"`
	Call uint64 `json:"call,omitempty"`

	Start    *start          `json:"start,omitempty"`
	Settings []byte          `json:"settings,omitempty"` // of the engine, when they are not those that the helper has
	Region   int             `json:"region,omitempty"`   // bytes of the shared memory that comes with the frame
	Data     span            `json:"data,omitzero"`
	Layers   []layer         `json:"layers,omitempty"`
	Stands   *job.Picture    `json:"stands,omitempty"`
	Recipe   json.RawMessage `json:"recipe,omitempty"`

	Sandbox  *Sandbox          `json:"sandbox,omitempty"`
	Progress *job.Progress     `json:"progress,omitempty"`
	Picture  *job.Picture      `json:"picture,omitempty"`
	Results  []worker.Rendered `json:"results,omitempty"` // without their bytes, which follow in this order
	Sizes    []int             `json:"sizes,omitempty"`
	Observed []observed        `json:"observed,omitempty"`
	Fault    *failure          `json:"fault,omitempty"`
}

// start is what a helper is told first.
type start struct {
	Memory  int64 `json:"memory"` // bytes
	Require bool  `json:"require"`
}

// Sandbox says what keeps a helper in.
type Sandbox struct {
	SystemCalls bool   `json:"system_calls"` // they are filtered
	Files       bool   `json:"files"`        // only those of the system can be read
	Memory      int64  `json:"memory"`       // bytes that it can write to
	Missing     string `json:"missing,omitempty"`
}

// span is a part of the shared memory.
type span struct {
	At   int `json:"at"`
	Size int `json:"size"`
}

type layer struct {
	Digest job.Digest `json:"digest"`
	span
}

// observed is what one operation took.
type observed struct {
	Op     string        `json:"op"`
	Format string        `json:"format"`
	Took   time.Duration `json:"took"`
}

// failure is an engine's error.
type failure struct {
	Kind    fault.Kind    `json:"kind"`
	Reason  string        `json:"reason,omitempty"`
	Message string        `json:"message,omitempty"`
	Fields  []fault.Field `json:"fields,omitempty"`
	Cause   string        `json:"cause,omitempty"`
	Variant *string       `json:"variant,omitempty"`
}

func failureOf(err error) *failure {
	f := &failure{Kind: fault.KindOf(err), Cause: err.Error()}
	if known := fault.As(err); known != nil {
		f.Reason, f.Message, f.Fields, f.Cause = known.Reason, known.Message, known.Fields, ""
		if known.Err != nil {
			f.Cause = known.Err.Error()
		}
	}
	var variant interface{ VariantName() string }
	if errors.As(err, &variant) {
		name := variant.VariantName()
		f.Variant = &name
	}
	return f
}

// err is the engine's error again.
func (f *failure) err() error {
	known := &fault.Error{Kind: f.Kind, Reason: f.Reason, Message: f.Message, Fields: f.Fields}
	if f.Cause != "" {
		known.Err = errors.New(f.Cause)
	}
	if f.Variant == nil {
		return known
	}
	return &variantError{*f.Variant, known}
}

// variantError says which variant could not be made.
type variantError struct {
	variant string
	err     error
}

func (e *variantError) Error() string { return fmt.Sprintf("variant %q: %v", e.variant, e.err) }

func (e *variantError) Unwrap() error { return e.err }

func (e *variantError) VariantName() string { return e.variant }

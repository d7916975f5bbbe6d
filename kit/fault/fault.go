// Package fault is the one way errors are classified in Calotype: a kind that machines act on, a reason that is stable enough to
// match, and a message that is safe to show to whoever asked. It knows no wire format; kit/rpc and the gateway translate.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what a caller can do about an error.
type Kind uint8

// The kinds. Internal is the zero value: an error that nobody classified is our fault, not the caller's.
const (
	Internal        Kind = iota // a defect or a damaged store; trying again may help
	Invalid                     // the request is wrong and will stay so
	NotFound                    // what it names is not there
	Conflict                    // right in itself, but not in the state things are in
	Exhausted                   // a quota or a limit of the caller's is used up
	Unauthenticated             // who are you
	Denied                      // not you
	Unavailable                 // not now; the same request may succeed later or elsewhere
	Deadline                    // it took longer than allowed
	Canceled                    // the caller left
)

var names = [...]string{"internal", "invalid", "not_found", "conflict", "exhausted", "unauthenticated", "denied", "unavailable", "deadline", "canceled"}

func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Field is one thing wrong with a request. Path is written as the caller wrote it, for example "variants[2].output.quality".
type Field struct {
	Path    string
	Message string
}

// Error is a classified error. Reason is upper snake case and stable; Message is a sentence for people, safe to show.
// Err is the cause, for logs only.
type Error struct {
	Kind       Kind
	Reason     string
	Message    string
	Fields     []Field
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for i, f := range e.Fields {
		if i == 0 && e.Message != "" {
			b.WriteString(": ")
		} else if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Path + ": " + f.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// New makes an error of a kind. Reason may be empty.
func New(k Kind, reason, format string, args ...any) *Error {
	return &Error{Kind: k, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Wrap classifies a cause; nil stays nil. The message, not the cause, is what a caller is shown.
func Wrap(err error, k Kind, reason, format string, args ...any) error {
	if err == nil {
		return nil
	}
	e := New(k, reason, format, args...)
	e.Err = err
	return e
}

// Is reports the kind of err: of the first *Error in its chain, else Deadline or Canceled for the context's own errors,
// else Internal. It must not be asked about nil.
func Is(err error, k Kind) bool { return KindOf(err) == k }

// KindOf classifies any error; see Is.
func KindOf(err error) Kind {
	if e := As(err); e != nil {
		return e.Kind
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Deadline
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return Internal
}

// As finds the first *Error in err's chain, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// ReasonOf gives the reason of err, or "".
func ReasonOf(err error) string {
	if e := As(err); e != nil {
		return e.Reason
	}
	return ""
}

// Transient reports whether the same request may succeed when tried again.
func Transient(err error) bool {
	switch KindOf(err) {
	case Unavailable, Deadline, Exhausted, Internal, Canceled:
		return true
	}
	return false
}

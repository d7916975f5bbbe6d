package job

import (
	"context"
	"time"
)

// Message is what a queue moves. Headers carry the trace and the request id; keys are lower case.
type Message struct {
	Class   Class  // of a task; others have none, and move as Normal
	ID      string // chosen by the publisher, never empty: publishing an ID again while it is queued is one message, where the broker can tell
	Headers map[string]string
	Body    []byte
	// Together is how many messages of one Publish may travel as one where a broker gains by that, this one being the first: 0 and 1
	// mean none. Consumers see no difference, but for what a consumer loses that dies: all that came with what it had not finished.
	Together int
}

// Delivery is a message handed to a consumer. Attempt counts its deliveries from 1.
type Delivery struct {
	Message
	Attempt int
}

// Verdict is what a handler decides about a delivery.
type Verdict struct {
	action verdict
	// After is how long an Again waits.
	After time.Duration
	// Reason goes with a message that is set aside.
	Reason string
}

type verdict uint8

const (
	done verdict = iota
	again
	dead
)

// Done removes the message.
func Done() Verdict { return Verdict{} }

// Again delivers the message once more, to whichever consumer, after a while.
func Again(after time.Duration) Verdict { return Verdict{action: again, After: after} }

// SetAside moves the message to the dead letters of its topic.
func SetAside(reason string) Verdict { return Verdict{action: dead, Reason: reason} }

// IsDone reports whether the message is to be removed.
func (v Verdict) IsDone() bool { return v.action == done }

// IsAgain reports whether the message is to be delivered again after v.After.
func (v Verdict) IsAgain() bool { return v.action == again }

// IsSetAside reports whether the message belongs to the dead letters.
func (v Verdict) IsSetAside() bool { return v.action == dead }

// Handler works on one delivery. Its context ends when the consumer may no longer be the message's owner; what it returns then
// is ignored.
type Handler func(ctx context.Context, d Delivery) Verdict

// Depth counts a topic's messages.
type Depth struct {
	Ready  int           // waiting for a consumer, or for their time
	Later  int           // those of them that wait for their time, where the broker tells of them
	Leased int           // with a consumer
	Oldest time.Duration // age of the oldest that is ready; 0 with none
	// Consumers is how many take from it, of any class the most, where the broker tells; else 0.
	Consumers int
}

// Queue delivers each message at least once, in no promised order. All methods may be called concurrently.
//
// While messages of several classes wait, they are handed out by the classes' weights, so that none starves.
//
// A consumer that dies, or a handler that panics, loses its deliveries to others with Attempt one higher. What was lost once is
// handled alone in its consumer's process from then on, so that it can take no others with it. A message that was lost
// as often as the adapter's limit (default 3) is moved to topic + ".dead" with the header "dead-reason" and is delivered from
// there, where nothing is moved by itself any more. Again is no loss: whoever decides it sees Attempt, and when to stop.
type Queue interface {
	// Publish returns nil only when every message is durable. Fails with fault.Unavailable when the broker is away, in which case
	// any of the messages may have been queued.
	Publish(ctx context.Context, topic string, messages ...Message) error
	// Consume handles up to slots deliveries at once until ctx ends, then takes no more, waits for those that run and
	// returns nil. It survives the broker's absence by itself.
	Consume(ctx context.Context, topic string, slots int, handle Handler) error
	// Depth counts the messages of a topic, or those of some of its classes; it may be a moment behind.
	Depth(ctx context.Context, topic string, classes ...Class) (Depth, error)
}

package job

import (
	"fmt"
	"strings"
	"time"
)

// WebhookID names a notice of a job's end. It is made from the job and the event, so that one event has one.
type WebhookID string

// NewWebhookID names the notice of an event.
func NewWebhookID(e Event) WebhookID {
	return WebhookID(fmt.Sprintf("whk_%s_%d", strings.TrimPrefix(string(e.Job), jobPrefix), e.Sequence))
}

// Webhook is a notice on its way to a URL.
type Webhook struct {
	ID       WebhookID
	Job      ID
	URL      string
	Body     []byte // as it was when the job ended; it never changes
	State    WebhookState
	Attempts int       // that ended
	Due      time.Time // when it is sent next; while it is being sent, when it counts as lost
	Answer   string    // what came of the last attempt; empty before
	Created  time.Time
	Ended    time.Time // zero before
}

// WebhookState says where a notice stands.
type WebhookState string

// The states. The last two are ends.
const (
	WebhookPending   WebhookState = "pending"
	WebhookDelivered WebhookState = "delivered"
	WebhookFailed    WebhookState = "failed" // it was tried as often as it may be, or refused for good
)

// WebhookFilter chooses notices. Its zero value lets all through.
type WebhookFilter struct {
	Job   ID
	State WebhookState
}

// WebhookOutcome is what came of an attempt to send.
type WebhookOutcome struct {
	State  WebhookState // pending: it is tried again at Due
	Unsent bool         // it was claimed and not sent: its attempts and its answer stay as they are
	Answer string
	Due    time.Time
	Time   time.Time
}

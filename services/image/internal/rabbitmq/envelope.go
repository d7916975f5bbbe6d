package rabbitmq

import (
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/services/image/internal/job"
)

// What the queue itself writes into a message's headers, beside those of the message.
const (
	headerClass    = "x-calotype-class"
	headerAttempts = "x-calotype-attempts" // deliveries before it was published last
	headerLost     = "x-calotype-lost"     // how many of these were lost
	headerDue      = "x-calotype-due"      // Unix milliseconds; where the steps of delays do not reach
	headerPassed   = "x-calotype-passed"   // how often it was passed on to other consumers since its last delivery
	headerReason   = "dead-reason"
)

// counted is what a message carries from one queue to the next.
type counted struct {
	attempts, lost int
	passed         int
	due            time.Time
	published      time.Time
}

// publishing puts a message into the broker's form.
func publishing(m job.Message, c counted) amqp.Publishing {
	headers := amqp.Table{}
	for k, v := range m.Headers {
		headers[k] = v
	}
	if m.Class.OrNormal() != job.Normal {
		headers[headerClass] = string(m.Class)
	}
	if c.attempts > 0 {
		headers[headerAttempts] = int64(c.attempts)
	}
	if c.lost > 0 {
		headers[headerLost] = int64(c.lost)
	}
	if c.passed > 0 {
		headers[headerPassed] = int64(c.passed)
	}
	if !c.due.IsZero() {
		headers[headerDue] = c.due.UnixMilli()
	}
	return amqp.Publishing{MessageId: m.ID, Headers: headers, Body: m.Body, DeliveryMode: amqp.Persistent, Timestamp: c.published}
}

// received takes a message out of the broker's form. Its counts include what the broker itself has counted. In a queue where each
// delivery is begun (all) every one of these was lost; elsewhere one at most was begun, since whoever gets such a message passes it to the
// suspects: the others ended with the client before they had been looked at.
func received(d amqp.Delivery, all bool) (job.Message, counted) {
	m := job.Message{ID: d.MessageId, Class: job.Normal, Headers: map[string]string{}, Body: d.Body}
	broker := number(d.Headers["x-delivery-count"])
	if !all {
		broker = min(broker, 1)
	}
	c := counted{
		attempts: number(d.Headers[headerAttempts]) + broker, lost: number(d.Headers[headerLost]) + broker,
		passed: number(d.Headers[headerPassed]), published: d.Timestamp,
	}
	if due := number(d.Headers[headerDue]); due > 0 {
		c.due = time.UnixMilli(int64(due))
	}
	for k, v := range d.Headers {
		text, ok := v.(string)
		switch {
		case !ok:
		case k == headerClass:
			m.Class = job.Class(text)
		case strings.HasPrefix(k, "x-calotype-"), strings.HasPrefix(k, "x-first-death-"), strings.HasPrefix(k, "x-last-death-"):
		default:
			m.Headers[k] = text
		}
	}
	return m, c
}

// number reads a header of any of the wire's integers.
func number(v any) int {
	switch n := v.(type) {
	case int64:
		return int(n)
	case int32:
		return int(n)
	case int16:
		return int(n)
	case int8:
		return int(n)
	case uint8:
		return int(n)
	case uint16:
		return int(n)
	case uint32:
		return int(n)
	case int:
		return n
	}
	return 0
}

package litequeue

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const insert = `INSERT INTO messages (topic, class, id, headers, body, published, due) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (topic, id) DO NOTHING`

// Publish stores all messages or none. A message whose ID is queued in the topic already is dropped.
func (q *Queue) Publish(ctx context.Context, topic string, messages ...job.Message) error {
	rows := make([][]any, len(messages))
	now := millis(time.Now())
	for i, m := range messages {
		if m.ID == "" {
			return fault.New(fault.Invalid, "NO_MESSAGE_ID", "message %d of %d has no ID", i+1, len(messages))
		}
		if !slices.Contains(job.Classes(), m.Class.OrNormal()) {
			return fault.New(fault.Invalid, "BAD_CLASS", "message %s is of a class that there is not: %q", m.ID, m.Class)
		}
		row, err := row(topic, m, now)
		if err != nil {
			return err
		}
		rows[i] = row
	}
	if len(rows) == 0 {
		return nil
	}
	err := q.do(ctx, true, func(t tx) error {
		for _, r := range rows {
			if _, err := t.exec(insert, r...); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		q.wake(topic)
	}
	return err
}

// row gives the values of insert.
func row(topic string, m job.Message, now int64) ([]any, error) {
	headers, err := json.Marshal(m.Headers)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "BAD_HEADERS", "the message's headers cannot be written")
	}
	body := m.Body
	if body == nil {
		body = []byte{}
	}
	return []any{topic, string(m.Class.OrNormal()), m.ID, headers, body, now, now}, nil
}

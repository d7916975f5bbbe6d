package litequeue

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"calotype/services/image/internal/job"
)

// claim is what a consumer asks for and gets.
type claim struct {
	topic string
	limit int  // how many slots are free
	idle  bool // nothing runs in the consumer

	leases []*lease
	dead   bool      // something was set aside
	alone  bool      // the one lease is a message's last chance, and nothing may run beside it
	held   bool      // a last chance waits until nothing runs
	next   time.Time // when there may be more, where fewer than limit were found; zero: not known
}

// due finds what may be taken, in the order of the index. A leased message is due when its lease has ended, and then counts as lost
// once more.
const due = `SELECT seq, id, headers, body, attempt, lost + leased FROM messages WHERE topic = ? AND due <= ? ORDER BY due, leased, published, seq LIMIT ?`

// candidate is a row of due.
type candidate struct {
	seq           int64
	message       job.Message
	attempt, lost int
}

// take fills the claim inside a transaction.
//
// A message that was lost before may have killed its consumers, or have been a neighbour of one that did. Its last delivery is
// therefore made alone: then only the guilty die of it, and an innocent one is done. Until its consumer is idle, nothing else is
// taken either, so that it does not wait for ever.
func (q *Queue) take(t tx, c *claim) error {
	now := time.Now()
	found, err := t.candidates(c.topic, now, c.limit)
	if err != nil {
		return err
	}
	limited := !strings.HasSuffix(c.topic, deadSuffix)
	for _, m := range found {
		switch {
		case limited && m.lost >= q.cfg.MaxDeliveries:
			c.dead = true
			if err := t.bury(c.topic, m); err != nil {
				return err
			}
			continue
		case limited && m.lost > 0 && m.lost == q.cfg.MaxDeliveries-1:
			if !c.idle || len(c.leases) > 0 {
				c.held = true
				return nil
			}
			c.alone = true
		}
		l := &lease{q: q, seq: m.seq, topic: c.topic, until: now.Add(q.cfg.Lease), Delivery: job.Delivery{Message: m.message, Attempt: m.attempt + 1}}
		if _, err := t.exec("UPDATE messages SET attempt = ?, lost = ?, leased = 1, due = ? WHERE seq = ?", l.Attempt, m.lost, millis(l.until), m.seq); err != nil {
			return err
		}
		c.leases = append(c.leases, l)
		if c.alone {
			return nil
		}
	}
	if len(found) < c.limit {
		c.next, err = t.next(c.topic)
	} else if c.dead {
		c.next = now
	}
	return err
}

func (t tx) candidates(topic string, now time.Time, limit int) (found []candidate, err error) {
	rows, err := t.conn.QueryContext(context.Background(), due, topic, millis(now), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err tells what went wrong
	for rows.Next() {
		var c candidate
		var headers []byte
		if err := rows.Scan(&c.seq, &c.message.ID, &headers, &c.message.Body, &c.attempt, &c.lost); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(headers, &c.message.Headers); err != nil {
			return nil, fmt.Errorf("headers of message %d: %w", c.seq, err)
		}
		found = append(found, c)
	}
	return found, rows.Err()
}

// next gives the time at which the topic's first message is due.
func (t tx) next(topic string) (time.Time, error) {
	var at *int64
	err := t.conn.QueryRowContext(context.Background(), "SELECT min(due) FROM messages WHERE topic = ?", topic).Scan(&at)
	if err != nil || at == nil {
		return time.Time{}, err
	}
	return time.UnixMilli(*at), nil
}

// Dead letters stand in a topic of their own, and say why in a header.
const (
	deadSuffix = ".dead"
	deadReason = "dead-reason"
)

// bury sets a message aside that was lost too often.
func (t tx) bury(topic string, m candidate) error {
	if _, err := t.exec("DELETE FROM messages WHERE seq = ?", m.seq); err != nil {
		return err
	}
	return t.dead(topic, m.message, fmt.Sprintf("each of %d deliveries was lost: the consumer died or stopped answering", m.lost))
}

// dead adds a dead letter.
func (t tx) dead(topic string, m job.Message, reason string) error {
	m.Headers = maps.Clone(m.Headers)
	if m.Headers == nil {
		m.Headers = map[string]string{}
	}
	m.Headers[deadReason] = reason
	r, err := row(topic+deadSuffix, m, millis(time.Now()))
	if err == nil {
		_, err = t.exec(insert, r...)
	}
	return err
}

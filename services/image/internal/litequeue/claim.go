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
	turns job.Turns

	leases []*lease
	dead   bool      // something was set aside
	buried int       // how many
	alone  bool      // the one lease is of a message that was lost before, and nothing may run beside it
	held   bool      // such a message waits until nothing runs
	next   time.Time // when there may be more, where fewer than limit were found; zero: not known
}

// due finds what may be taken of each class, in the order of the index. A leased message is due when its lease has ended, and then
// counts as lost once more.
var due = func() string {
	var each []string
	for _, c := range job.Classes() {
		each = append(each, `SELECT * FROM (SELECT seq, class, attempt, lost + leased FROM messages
			WHERE topic = ?1 AND class = '`+string(c)+`' AND due <= ?2 ORDER BY due, leased, published, seq LIMIT ?3)`)
	}
	return strings.Join(each, " UNION ALL ")
}()

// candidate is a row of due.
type candidate struct {
	seq           int64
	class         job.Class
	attempt, lost int
}

// take fills the claim inside a transaction.
//
// A message that was lost before may have killed its consumers, or have been a neighbour of one that did. It is therefore delivered
// alone from then on: then only the guilty die of it, and an innocent one is done. Until its consumer is idle, nothing else is
// taken either, so that it does not wait for ever.
func (q *Queue) take(t tx, c *claim) error {
	now := time.Now()
	waiting, found, err := t.candidates(c.topic, now, c.limit)
	if err != nil {
		return err
	}
	limited := !strings.HasSuffix(c.topic, deadSuffix)
	for len(c.leases) < c.limit {
		class, any := c.turns.Next(func(class job.Class) bool { return len(waiting[class]) > 0 })
		if !any {
			break
		}
		m := waiting[class][0]
		waiting[class] = waiting[class][1:]
		switch {
		case limited && m.lost >= q.cfg.MaxDeliveries:
			c.dead = true
			c.buried++
			if err := t.bury(c.topic, m); err != nil {
				return err
			}
			continue
		case limited && m.lost > 0:
			if !c.idle || len(c.leases) > 0 {
				c.held = true
				return nil
			}
			c.alone = true
		}
		l := &lease{q: q, seq: m.seq, topic: c.topic, until: now.Add(q.cfg.Lease), Delivery: job.Delivery{Attempt: m.attempt + 1}}
		if l.Message, err = t.message("UPDATE messages SET attempt = ?, lost = ?, leased = 1, due = ? WHERE seq = ?", l.Attempt, m.lost, millis(l.until), m.seq); err != nil {
			return err
		}
		c.leases = append(c.leases, l)
		if c.alone {
			return nil
		}
	}
	if found < c.limit {
		c.next, err = t.next(c.topic)
	} else if c.dead {
		c.next = now
	}
	return err
}

func (t tx) candidates(topic string, now time.Time, limit int) (waiting map[job.Class][]candidate, found int, err error) {
	rows, err := t.conn.QueryContext(context.Background(), due, topic, millis(now), limit)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = rows.Close() }() // Err tells what went wrong
	waiting = map[job.Class][]candidate{}
	for ; rows.Next(); found++ {
		var c candidate
		if err := rows.Scan(&c.seq, &c.class, &c.attempt, &c.lost); err != nil {
			return nil, 0, err
		}
		waiting[c.class] = append(waiting[c.class], c)
	}
	return waiting, found, rows.Err()
}

// message runs a statement that changes one row, and gives the message of that row.
func (t tx) message(query string, args ...any) (m job.Message, err error) {
	var headers []byte
	row := t.conn.QueryRowContext(context.Background(), query+" RETURNING class, id, headers, body", args...)
	if err = row.Scan(&m.Class, &m.ID, &headers, &m.Body); err != nil {
		return m, err
	}
	if err = json.Unmarshal(headers, &m.Headers); err != nil {
		err = fmt.Errorf("headers of message %s: %w", m.ID, err)
	}
	return m, err
}

// earliest is the first time at which one of a topic's messages is due, by the index.
var earliest = func() string {
	var each []string
	for _, c := range job.Classes() {
		each = append(each, "SELECT min(due) AS due FROM messages WHERE topic = ?1 AND class = '"+string(c)+"'")
	}
	return "SELECT min(due) FROM (" + strings.Join(each, " UNION ALL ") + ")"
}()

// next gives the time at which the topic's first message is due.
func (t tx) next(topic string) (time.Time, error) {
	var at *int64
	err := t.conn.QueryRowContext(context.Background(), earliest, topic).Scan(&at)
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
func (t tx) bury(topic string, c candidate) error {
	m, err := t.message("DELETE FROM messages WHERE seq = ?", c.seq)
	if err != nil {
		return err
	}
	return t.dead(topic, m, fmt.Sprintf("each of %d deliveries was lost: the consumer died or stopped answering", c.lost))
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

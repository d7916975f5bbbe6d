package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const (
	postQuery = `INSERT INTO outbox (job_id, topic, message_id, headers, body, created, class, tenant, turn)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1 + max(
			coalesce((SELECT max(turn) FROM outbox WHERE class = ?7 AND tenant = ?8), 0),
			coalesce((SELECT min(turn) FROM outbox WHERE class = ?7), 0)))`
	relayQuery   = "SELECT sequence, topic, tenant, class, message_id, headers, body FROM outbox WHERE class = ? ORDER BY turn, sequence LIMIT ?"
	backlogQuery = "SELECT count(*) FROM outbox"
)

// post puts a message into the outbox and gives it its turn: after its tenant's last, and not before what is next in its class.
func post(ctx context.Context, tx *sql.Tx, id job.ID, m job.Outgoing) error {
	headers, err := json.Marshal(m.Headers)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "", "a message's headers cannot be kept")
	}
	_, err = tx.ExecContext(ctx, postQuery,
		id, m.Topic, m.ID, string(headers), m.Body, micros(time.Now()), m.Class.OrNormal(), m.Tenant)
	return classify(err, "keeping a message")
}

type outgoing struct {
	sequence int64
	job.Outgoing
}

// Backlog implements job.Outbox.
func (s *Store) Backlog(ctx context.Context) (n int, _ error) {
	err := s.reads.QueryRowContext(ctx, backlogQuery).Scan(&n)
	return n, classify(err, "counting messages")
}

// Relay implements job.Outbox. The messages are not kept from other relays: SQLite has no lock for that which would not also keep
// everybody else from writing while the queue is spoken to.
func (s *Store) Relay(ctx context.Context, class job.Class, limit int, publish func(context.Context, []job.Outgoing) error) (int, error) {
	rows, err := s.reads.QueryContext(ctx, relayQuery, class, limit)
	waiting, err := all(rows, err, func(row scanner) (o outgoing, err error) {
		var headers string
		if err = row.Scan(&o.sequence, &o.Topic, &o.Tenant, &o.Class, &o.ID, &headers, &o.Body); err != nil {
			return o, err
		}
		err = json.Unmarshal([]byte(headers), &o.Headers)
		return o, fault.Wrap(err, fault.Internal, "STORE_CORRUPT", "the headers of message %s cannot be read", o.ID)
	})
	if err != nil || len(waiting) == 0 {
		return 0, classify(err, "reading the outbox")
	}
	messages := make([]job.Outgoing, len(waiting))
	gone := make([]any, len(waiting))
	for i, o := range waiting {
		messages[i], gone[i] = o.Outgoing, o.sequence
	}
	if err := publish(ctx, messages); err != nil {
		return 0, err
	}
	err = s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM outbox WHERE sequence IN (?"+strings.Repeat(", ?", len(gone)-1)+")", gone...)
		return classify(err, "marking messages as published")
	})
	return len(waiting), err
}

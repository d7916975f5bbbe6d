package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// Backlog implements job.Outbox.
func (s *Store) Backlog(ctx context.Context) (n int, err error) {
	err = s.read(ctx, "counting messages", func(ctx context.Context) error {
		return s.db.QueryRowContext(ctx, "SELECT count(*) FROM outbox").Scan(&n)
	})
	return n, err
}

// relayQuery takes the next messages that no other relay holds. They come back when the transaction is undone.
const relayQuery = `DELETE FROM outbox
	WHERE ctid = ANY(ARRAY(SELECT ctid FROM outbox WHERE class = $1 ORDER BY turn, sequence LIMIT $2 FOR UPDATE SKIP LOCKED))
	RETURNING turn, sequence, topic, tenant, class, message_id, headers, body`

type outgoing struct {
	turn, sequence int64
	job.Outgoing
}

// Relay implements job.Outbox. The messages are kept from other relays while publish has them; nobody else waits for them. When the
// manager stands still for longer than heldAtMost, others may publish them too.
func (s *Store) Relay(ctx context.Context, class job.Class, limit int, publish func(context.Context, []job.Outgoing) error) (n int, err error) {
	var (
		asked   bool
		refused error
	)
	once := func(ctx context.Context, messages []job.Outgoing) error {
		asked, refused = true, publish(ctx, messages)
		return refused
	}
	n, err = s.relay(ctx, class, limit, once)
	if err != nil && !asked && away(err) { // a connection from before a restart may be all that is wrong
		s.suspect(err)
		n, err = s.relay(ctx, class, limit, once)
	}
	if refused != nil {
		return 0, err // publish's own
	}
	return n, classify(ctx, err, "relaying messages")
}

func (s *Store) relay(ctx context.Context, class job.Class, limit int, publish func(context.Context, []job.Outgoing) error) (n int, err error) {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(s.timeout, cancel) // the server may hang while it is asked, and again while it is told
	defer late.Stop()
	var refused error // publish's own
	err = s.inTx(bounded, func(_ context.Context, tx *sql.Tx) error {
		messages, err := next(bounded, tx, class, limit)
		if err != nil || len(messages) == 0 {
			return err
		}
		late.Reset(heldAtMost)
		if refused = publish(bounded, messages); refused != nil {
			return refused
		}
		late.Reset(s.timeout)
		n = len(messages)
		return nil
	})
	switch {
	case refused != nil && ctx.Err() == nil && bounded.Err() != nil:
		return 0, fault.Wrap(refused, fault.Unavailable, "PUBLISHING_SLOW", "the queue took longer than %v, for which messages can be held", heldAtMost)
	case err != nil:
		return 0, err
	}
	return n, nil
}

func next(ctx context.Context, tx *sql.Tx, class job.Class, limit int) ([]job.Outgoing, error) {
	rows, err := tx.QueryContext(ctx, relayQuery, text(class.OrNormal()), limit)
	waiting, err := all(rows, err, func(row scanner) (o outgoing, err error) {
		var headers string
		if err = row.Scan(&o.turn, &o.sequence, &o.Topic, &o.Tenant, &o.Class, &o.ID, &headers, &o.Body); err != nil {
			return o, err
		}
		err = json.Unmarshal([]byte(headers), &o.Headers)
		return o, fault.Wrap(err, fault.Internal, "STORE_CORRUPT", "the headers of message %s cannot be read", o.ID)
	})
	slices.SortFunc(waiting, func(a, b outgoing) int {
		return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.sequence, b.sequence))
	})
	messages := make([]job.Outgoing, len(waiting))
	for i, o := range waiting {
		messages[i] = o.Outgoing
	}
	return messages, err
}

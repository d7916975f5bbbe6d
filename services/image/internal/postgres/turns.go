package postgres

import (
	"context"
	"sync"

	"calotype/services/image/internal/job"
)

// turns gives messages their turns. What is committed is known to the database; what is on its way there only to the store that brings
// it, which therefore remembers it for so long. So many managers, so many messages of one turn can a tenant get at most.
type turns struct {
	mu    sync.Mutex
	onWay map[line]*last
}

// line is where a tenant's messages of a class stand.
type line struct {
	class  job.Class
	tenant string
}

type last struct {
	turn int64
	held int // transactions on their way
}

func newTurns() *turns { return &turns{onWay: map[line]*last{}} }

// lines are the different ones of messages.
func lines(messages []posted) (different []line) {
	seen := map[line]bool{}
	for _, m := range messages {
		if l := m.line(); !seen[l] {
			seen[l] = true
			different = append(different, l)
		}
	}
	return different
}

const basesQuery = `SELECT greatest(
		coalesce((SELECT turn FROM outbox WHERE class || '/' || tenant = asked.class || '/' || asked.tenant ORDER BY turn DESC LIMIT 1), 0),
		coalesce((SELECT turn FROM outbox WHERE class = asked.class ORDER BY turn, sequence LIMIT 1), 0))
	FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (class, tenant, position) ORDER BY position`

// take gives messages their turns. Once their transaction has ended, release must be called.
func (t *turns) take(ctx context.Context, from querier, messages []posted) (release func(), err error) {
	release = func() {}
	if len(messages) == 0 {
		return release, nil
	}
	asked := lines(messages)
	classes, tenants := make([]string, len(asked)), make([]string, len(asked))
	for i, l := range asked {
		classes[i], tenants[i] = string(l.class), l.tenant
	}
	rows, err := from.QueryContext(ctx, basesQuery, classes, tenants)
	bases, err := all(rows, err, scan[int64])
	if err != nil {
		return release, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, l := range asked {
		if t.onWay[l] == nil {
			t.onWay[l] = &last{}
		}
		t.onWay[l].held++
		t.onWay[l].turn = max(t.onWay[l].turn, bases[i])
	}
	for i := range messages {
		l := t.onWay[messages[i].line()]
		l.turn++
		messages[i].turn = l.turn
	}
	return func() { t.forget(asked) }, nil
}

func (t *turns) forget(taken []line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range taken {
		if t.onWay[l].held--; t.onWay[l].held == 0 {
			delete(t.onWay, l)
		}
	}
}

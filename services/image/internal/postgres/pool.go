package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// heldAtMost is how long a manager that stands still may keep others from the rows that it holds.
const heldAtMost = 30 * time.Second

// What a session begins with.
var heldAtMostQuery = fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", heldAtMost.Milliseconds())

// The statements of the lanes are large, the same again and again, and find rows by their keys whatever is asked for: planning each anew
// takes as long as running it. A plan that is kept was made for the tables as they were then: of one made while they were small nothing may
// be left that reads all of them.
const anyValuesQuery = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"

// pool is connections to the database, as many of which are kept as there may be.
type pool struct {
	*sql.DB
	size  int
	drops sync.Mutex
}

func openPool(conn *pgx.ConnConfig, size int, begin ...string) *pool {
	db := stdlib.OpenDB(*conn, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, strings.Join(begin, "; "))
		return err
	}))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour) // so that they spread again after a server was away
	return &pool{DB: db, size: size}
}

// drop closes the connections that wait for work, for one caller at a time: what database/sql is about to close stands where it puts what comes back, once
// another caller lets it.
func (p *pool) drop() {
	p.drops.Lock()
	defer p.drops.Unlock()
	p.SetMaxIdleConns(-1)
	p.SetMaxIdleConns(p.size)
}

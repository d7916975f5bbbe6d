package litequeue

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the driver
)

// version is what user_version holds; a file of a later version is refused.
const version = 2

// In schema, due is the time in Unix milliseconds from which a message may be taken. Of a leased message it is the end of its
// lease, so that one comparison finds what is new, what waited long enough and what its owner lost. A delivery is known by seq and
// attempt; seq is never used twice. The index answers a claim and a count without reading bodies.
const schema = `
CREATE TABLE messages (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	topic     TEXT    NOT NULL,
	id        TEXT    NOT NULL,
	headers   BLOB    NOT NULL,
	body      BLOB    NOT NULL,
	published INTEGER NOT NULL,
	due       INTEGER NOT NULL,
	attempt   INTEGER NOT NULL DEFAULT 0,
	lost      INTEGER NOT NULL DEFAULT 0,
	leased    INTEGER NOT NULL DEFAULT 0,
	UNIQUE (topic, id)
) STRICT;
CREATE INDEX messages_due ON messages (topic, due, leased, published);
`

// classes came with version 2: a claim asks for each class.
const classes = `
ALTER TABLE messages ADD COLUMN class TEXT NOT NULL DEFAULT 'normal';
DROP INDEX messages_due;
CREATE INDEX messages_due ON messages (topic, class, due, leased, published);
`

// steps lead from each version to the next.
var steps = [version]string{schema, classes}

// openDB opens the file. Write-ahead logging lets counts go on while messages are written; fullfsync makes macOS, too, wait for
// the disk.
func openDB(path string) (*sql.DB, error) {
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)", "journal_size_limit(33554432)",
	}}
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: pragmas.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return db, nil
}

// migrate brings a file, or a new one, to the schema of today, in one transaction that other processes wait for.
func migrate(ctx context.Context, c *sql.Conn) (err error) {
	if _, err = c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = c.ExecContext(ctx, "ROLLBACK")
		}
	}()
	var found int
	if err = c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
		return err
	}
	if found < 0 || found > version {
		return fmt.Errorf("the file is of version %d, this program knows %d", found, version)
	}
	for i, step := range steps[found:] {
		if _, err = c.ExecContext(ctx, step+fmt.Sprintf("PRAGMA user_version = %d;", found+i+1)); err != nil {
			return err
		}
	}
	_, err = c.ExecContext(ctx, "COMMIT")
	return err
}

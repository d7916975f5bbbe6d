package litequeue

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the driver
)

// version is what user_version holds; a file of another version is refused.
const version = 1

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

// migrate creates the schema in a new file, in one transaction that other processes wait for.
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
	switch found {
	case version:
	case 0:
		if _, err = c.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", version)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("the file is of version %d, this program knows %d", found, version)
	}
	_, err = c.ExecContext(ctx, "COMMIT")
	return err
}

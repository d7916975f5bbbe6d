package litequeue

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"calotype/services/image/internal/job"
)

// A file of the first version is brought to today's, with what waits in it.
func TestMigratesTheFirstVersion(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Path = filepath.Join(t.TempDir(), "q.db")
	db, err := openDB(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(schema + `PRAGMA user_version = 1;
		INSERT INTO messages (topic, id, headers, body, published, due) VALUES ('t', 'old', x'7b7d', x'', 0, 0)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds it done
		q, err := Open(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := q.Depth(context.Background(), "t", job.Normal); err != nil || d.Ready != 1 {
			t.Errorf("after the migration there are %+v, %v", d, err)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func openHere(t testing.TB) *Store {
	t.Helper()
	s, err := Open(context.Background(), filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func addImage(id job.ImageID) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error { return insertImage(ctx, tx, job.Image{ID: id}) }
}

// Writes that share a commit fail alone: a refusal, a broken constraint and a panic leave the others be.
func TestWritesInOneBatchFailAlone(t *testing.T) {
	s := openHere(t)
	refused := errors.New("refused")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	batch := []*write{
		{ctx: t.Context(), do: addImage("a")},
		{ctx: t.Context(), do: func(ctx context.Context, tx *sql.Tx) error { return errors.Join(addImage("b")(ctx, tx), refused) }},
		{ctx: t.Context(), do: addImage("a")},
		{ctx: t.Context(), do: func(context.Context, *sql.Tx) error { panic("a defect") }},
		{ctx: gone, do: addImage("c")},
		{ctx: t.Context(), do: addImage("d")},
	}
	errs := make([]error, len(batch))
	if err := s.write.attempt(batch, errs); err != nil {
		t.Fatal(err)
	}
	if errs[0] != nil || errs[5] != nil || !errors.Is(errs[1], refused) || errs[2] == nil || errs[3] == nil || !errors.Is(errs[4], context.Canceled) {
		t.Errorf("came to %v", errs)
	}
	for id, want := range map[job.ImageID]bool{"a": true, "b": false, "c": false, "d": true} {
		if _, err := s.Image(t.Context(), id); (err == nil) != want {
			t.Errorf("image %s: %v", id, err)
		}
	}
}

func TestClosedStoreRefuses(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "jobs.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Expire(t.Context(), time.Now()); err == nil || !fault.Is(err, fault.Unavailable) {
		t.Errorf("a write after closing: %v", err)
	}
}

func TestSettings(t *testing.T) {
	s := openHere(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		if err := s.write.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", pragma, got, err, want)
		}
	}
	if _, err := s.reads.Exec("DELETE FROM jobs"); err == nil {
		t.Error("a reader may write")
	}
}

func TestManyOpenANewFileAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := Open(context.Background(), path)
			if err != nil {
				t.Errorf("opening: %v", err)
				return
			}
			if err := s.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestOpenWhereNothingMayBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), filepath.Join(file, "jobs.db")); err == nil {
		t.Error("opened a store inside a file")
	}
}

// What a commit costs, alone and shared.
func BenchmarkCommit(b *testing.B) {
	ids := job.NewIDs()
	b.Run("one caller", func(b *testing.B) {
		s := openHere(b)
		for b.Loop() {
			if err := s.write.tx(context.Background(), addImage(ids.Image(time.Now()))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("64 callers", func(b *testing.B) {
		s := openHere(b)
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := s.write.tx(context.Background(), addImage(ids.Image(time.Now()))); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

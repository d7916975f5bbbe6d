package sqlite_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/sqlite"
	"calotype/services/image/internal/storetest"
)

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	var paths sync.Map
	storetest.Run(t, storetest.Suite{
		Open: func(t *testing.T) job.Store {
			path := filepath.Join(t.TempDir(), "sub folder", "jobs?#%.db")
			s := open(t, path)
			paths.Store(s, path)
			return s
		},
		Reopen: func(t *testing.T, s job.Store) job.Store {
			path, _ := paths.Load(s)
			return open(t, path.(string))
		},
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(t testing.TB) job.Store { return open(t, filepath.Join(t.TempDir(), "jobs.db")) })
}

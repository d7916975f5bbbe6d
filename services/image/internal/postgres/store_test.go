package postgres_test

import (
	"sync"
	"testing"

	"calotype/kit/config"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/postgres"
	"calotype/services/image/internal/storetest"
	"calotype/test/servers"
)

func configFor(url string) postgres.Config {
	cfg := postgres.DefaultConfig()
	cfg.URL, cfg.MaxConnections = url, 8
	return cfg
}

func open(t testing.TB, cfg postgres.Config) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), cfg)
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

func suite(server *servers.Postgres, more string) storetest.Suite {
	var urls sync.Map
	return storetest.Suite{
		Open: func(t *testing.T) job.Store {
			url := server.Database(t) + more
			s := open(t, configFor(url))
			urls.Store(s, url)
			return s
		},
		Reopen: func(t *testing.T, s job.Store) job.Store {
			url, _ := urls.Load(s)
			return open(t, configFor(url.(string)))
		},
	}
}

func TestStore(t *testing.T) {
	server := servers.NewPostgres(t, "fsync=off", "max_connections=300")
	t.Run("Prepared", func(t *testing.T) { storetest.Run(t, suite(server, "")) })
	// Behind a pooler no statement may be prepared in one transaction and used in another.
	t.Run("Unprepared", func(t *testing.T) { storetest.Run(t, suite(server, "&default_query_exec_mode=exec")) })
	t.Run("ManyOpenANewDatabaseAtOnce", func(t *testing.T) { manyOpenAtOnce(t, server) })
	t.Run("PasswordIsApart", func(t *testing.T) { passwordIsApart(t, server) })
}

func manyOpenAtOnce(t *testing.T, server *servers.Postgres) {
	t.Helper()
	cfg := configFor(server.Database(t))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), cfg)
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

func passwordIsApart(t *testing.T, server *servers.Postgres) {
	t.Helper()
	cfg := configFor("postgres://" + server.User + "@" + server.Addr + "/postgres?sslmode=disable")
	if s, err := postgres.Open(t.Context(), cfg); err == nil {
		_ = s.Close()
		t.Fatal("opened without a password")
	}
	cfg.Password = config.Secret(server.Password)
	if err := open(t, cfg).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func BenchmarkStore(b *testing.B) {
	server := servers.NewPostgres(b, "max_connections=200")
	storetest.Benchmark(b, func(t testing.TB) job.Store {
		cfg := configFor(server.Database(t))
		cfg.MaxConnections = 20
		return open(t, cfg)
	})
}

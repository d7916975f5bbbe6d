package servers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestPostgresKeepsWhatIsCommitted(t *testing.T) {
	p := NewPostgres(t)
	url := p.Database(t)
	open := func() *pgx.Conn {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	conn := open()
	if _, err := conn.Exec(t.Context(), "CREATE TABLE rows (n int)"); err != nil {
		t.Fatal(err)
	}
	for i, end := range []func(){p.Kill, p.Stop} {
		if _, err := conn.Exec(t.Context(), "INSERT INTO rows VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		end()
		if err := p.answers(t.Context()); err == nil {
			t.Fatal("answers though it has ended")
		}
		p.Start()
		conn = open()
		var n int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM rows").Scan(&n); err != nil || n != i+1 {
			t.Fatalf("%d rows, %v, want %d", n, err, i+1)
		}
	}

	p.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := conn.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("frozen: %v", err)
	}
	p.Thaw()
	if err := open().Ping(t.Context()); err != nil {
		t.Errorf("thawed: %v", err)
	}
}

func TestPostgresDatabasesAreApart(t *testing.T) {
	p := NewPostgres(t, "fsync=off")
	for range 2 {
		conn, err := pgx.Connect(t.Context(), p.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE rows (n int)"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

package postgres

import (
	"io/fs"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"calotype/services/image/internal/job"
)

// back gives a store the schema that came with a migration, as a manager of that time left it.
func back(t *testing.T, s *Store, version int64) {
	t.Helper()
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, s.db.DB, folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// What was kept before events and indexes became fewer is there after it: nothing twice, nothing missing, and it goes on.
func testUpgrade(t *testing.T, s *Store) {
	back(t, s, 1)
	for _, query := range []string{
		"INSERT INTO images SELECT 'img_1', 'd', '', now(), '', '', 0, 0, 0, false, 0, 0",
		`INSERT INTO jobs (id, image_id, original, state, recipe, preset, run, attempts, requeues, sequence, node, created, started, ended, updated, batch_id, tenant, class,
			max_attempts, keep, webhook, is_unique, phase, percent)
			SELECT 'job_' || n, 'img_1', 'd', (ARRAY['queued', 'succeeded'])[n], '{"variants":null}', '', 1, n - 1, 0, n, '', now(), NULL, CASE WHEN n = 2 THEN now() END, now(), '', 't',
			'normal', 0, 0, '', false, '', 0 FROM generate_series(1, 2) n`,
		`INSERT INTO events SELECT 'job_' || n, sequence, created, CASE sequence WHEN 1 THEN 'queued' ELSE state END, sequence - 1, '', NULL, NULL, NULL, '', 0
			FROM (SELECT substr(id, 5)::int AS n, generate_series(1, sequence) AS sequence, created, state FROM jobs) AS happened`,
		"INSERT INTO results SELECT 'job_2', n, 'img_1', 'v' || n, '', 'r' || n, 0, '', '', 0, 0, 0 FROM generate_series(0, 2) n",
		"INSERT INTO outbox (job_id, topic, class, tenant, turn, message_id, headers, body) VALUES ('job_1', 'tasks', 'normal', 't', 7, 'job_1.1', '{}', 'x')",
	} {
		if _, err := s.db.Exec(query); err != nil {
			t.Fatalf("%v\n%s", err, query)
		}
	}
	if err := s.migrate(t.Context()); err != nil {
		t.Fatal(err)
	}

	j, err := s.Update(t.Context(), "job_1", func(j job.Job) (job.Change, error) {
		next, events := job.Apply(j, job.Report{Job: j.ID, Run: 1, Attempt: 1, Kind: job.GaveUp, Node: "n", Time: time.Now()}, time.Now().UTC().Truncate(time.Microsecond))
		return job.Change{Job: next, Events: events}, nil
	})
	if err != nil || j.State != job.Failed {
		t.Fatalf("%+v, %v", j, err)
	}
	for id, last := range map[job.ID]job.State{"job_1": job.Failed, "job_2": job.Succeeded} {
		events, err := s.Events(t.Context(), id, 0, 9)
		if err != nil || len(events) != 2 || events[0].Sequence != 1 || events[0].State != job.Queued || events[1].Sequence != 2 || events[1].State != last {
			t.Errorf("the events of %s: %+v, %v", id, events, err)
		}
	}
	done, err := s.Job(t.Context(), "job_2")
	if err != nil || len(done.Results) != 3 || done.Results[2].Name != "v2" {
		t.Errorf("%+v, %v", done, err)
	}
	if r, err := s.Result(t.Context(), "img_1", "v1"); err != nil || r.Digest != "r1" {
		t.Errorf("%+v, %v", r, err)
	}
	var waits string
	if err := s.db.QueryRow("SELECT turn || ' ' || message_id FROM outbox").Scan(&waits); err != nil || waits != "7 job_1.1" {
		t.Errorf("%q waits, %v", waits, err)
	}
}

package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// fill puts a hundred thousand messages of a tenant into the outbox, twenty thousand jobs on an image and twenty thousand notices.
func fill(t *testing.T, s *Store, im job.Image) {
	t.Helper()
	if _, err := s.Commit(t.Context(), job.Commit{Image: &im}); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"INSERT INTO images SELECT 'img_' || n, 'd' || n, '', now(), '', '', 0, 0, 0, false, 0, 0, now() + n * interval '1 second' FROM generate_series(1, 20000) n",
		`INSERT INTO jobs SELECT 'job_' || lpad(n::text, 26, '0'), 'img_' || n, '', (ARRAY['scheduled', 'queued', 'running', 'succeeded', 'failed', 'dead'])[1 + n % 6], '{"variants":null}', '', 1, 0, 0, 1,
			NULL, NULL, NULL, '', now(), NULL, NULL, now() + n * interval '1 second', 'bat_' || n % 50, 'tenant ' || n % 100, 'normal', 0,
			CASE WHEN n % 6 = 0 THEN now() + n * interval '1 second' END, 0, '', false, '', 0, CASE WHEN n % 6 = 3 THEN now() + n * interval '1 second' END
			FROM generate_series(1, 20000) n`,
		"INSERT INTO batches SELECT 'bat_' || n, '', 0, now() + n * interval '1 second' FROM generate_series(1, 2000) n",
		`INSERT INTO webhooks SELECT 'whk_' || lpad(n::text, 26, '0'), 'job_' || lpad(n::text, 26, '0'), '', '', CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'delivered' END, 0,
			now() + n * interval '1 second', '', now(), CASE WHEN n % 10 > 0 THEN now() END FROM generate_series(1, 20000) n`,
		"INSERT INTO receipts SELECT n::text, '', NULL, '', '', now(), now() + n * interval '1 second' FROM generate_series(1, 20000) n",
		"INSERT INTO results SELECT 'job_' || lpad(n::text, 26, '0'), 0, 'img_' || n, 'a', '', 'd' || n, 0, '', '', 0, 0, 0 FROM generate_series(1, 20000) n",
		`INSERT INTO outbox (job_id, topic, class, tenant, turn, message_id, headers, body)
			SELECT 'job_' || lpad((n % 20000)::text, 26, '0'), 'tasks', 'normal', 'many', n, n::text, '{}', 'x' FROM generate_series(1, 100000) n`,
		"ANALYZE",
	} {
		if _, err := s.db.Exec(query); err != nil {
			t.Fatalf("%v\n%s", err, query)
		}
	}
}

// A plan of the lanes is kept, and must not be one for tables as small as these.
func testFewRows(t *testing.T, s *Store) {
	for _, query := range []string{
		"INSERT INTO images VALUES ('img_1', '', '', now(), '', '', 0, 0, 0, false, 0, 0, NULL)",
		`INSERT INTO jobs (id, image_id, original, state, recipe, preset, created, updated, batch_id, tenant, class, max_attempts, keep, webhook, is_unique)
			SELECT 'job_' || n, 'img_1', '', 'queued', '', '', now(), now(), '', '', 'normal', 0, 0, '', false FROM generate_series(1, 20) n`,
		"ANALYZE",
	} {
		if _, err := s.db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	var k kept
	k.changed = append(k.changed, changed{Job: job.Job{ID: "job_1"}})
	change := k.statement()
	for what, query := range map[string]struct {
		text string
		args []any
	}{
		"locking": {lockQuery, []any{[]string{"job_1"}}},
		"changes": {change.parts[0], change.args},
	} {
		rows, err := s.writers.Query("EXPLAIN "+query.text, query.args...)
		steps, err := all(rows, err, scan[string])
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if plan := strings.Join(steps, "\n"); strings.Contains(plan, "Seq Scan on jobs") || !strings.Contains(plan, "jobs_pkey") {
			t.Errorf("%s:\n%s", what, plan)
		}
	}
}

// What is asked all the time finds its rows by an index, in their order, however many there are.
func testManyRows(t *testing.T, s *Store) {
	ids, now := job.NewIDs(), time.Now()
	im := job.Image{ID: ids.Image(now), Created: now}
	fill(t, s, im)
	list := func(f job.Filter, after job.ID) (string, []any) { return listing(f, after, 50) }
	early := now.Add(-time.Hour)
	check := func(what string, query string, args ...any) {
		t.Helper()
		rows, err := s.db.Query("EXPLAIN "+query, args...)
		steps, err := all(rows, err, scan[string])
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if plan := strings.Join(steps, "\n"); strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") {
			t.Errorf("%s:\n%s", what, plan)
		}
	}
	check("a relay", relayQuery, "normal", 64)
	check("turns", basesQuery, []string{"normal", "normal"}, []string{"many", "few"})
	check("a claim", claimQuery, now.Add(2*time.Hour), 20, now)
	check("scheduled jobs", dueQuery, now.Add(2*time.Hour), 50)
	check("expired images", expiredImagesQuery, now.Add(2*time.Hour), 50)
	check("expired jobs", expiredJobsQuery, now.Add(2*time.Hour), 50)
	check("expired receipts", expireReceipts, early)
	check("expired notices", expireWebhooks, early)
	check("expired batches", expireBatches, early)
	for what, f := range map[string]job.Filter{
		"jobs of a tenant": {Tenant: "tenant 7"}, "jobs of a batch": {Batch: "bat_7"}, "jobs of an image": {Image: "img_7"}, "jobs in a state": {States: []job.State{job.Dead}}, "jobs that succeeded": {States: []job.State{job.Succeeded}},
	} {
		query, args := list(f, "job_1")
		check(what, query, args...)
	}

	measure := func(what string, n int, do func() error) {
		t.Helper()
		began := time.Now()
		for range n {
			if err := do(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		t.Logf("%s: %v each", what, time.Since(began)/time.Duration(n))
	}
	few := 0
	relay := func() error {
		_, err := s.Relay(t.Context(), job.Normal, 64, func(_ context.Context, messages []job.Outgoing) error {
			for _, m := range messages {
				if m.Tenant == "few" {
					few++
				}
			}
			return nil
		})
		return err
	}
	measure("commit", 100, func() error {
		j, events := job.Accept(job.Job{ID: ids.Job(now), ImageID: im.ID, Wishes: job.Wishes{Tenant: "few"}}, now)
		_, err := s.Commit(t.Context(), job.Commit{Jobs: []job.Change{{Job: j, Events: events,
			Outbox: []job.Outgoing{{Topic: job.Tasks, Tenant: "few", Message: job.Message{ID: string(j.ID)}}}}}})
		return err
	})
	measure("relay of 64", 20, relay)
	measure("claim of 20", 20, func() error {
		_, err := s.Claim(t.Context(), now.Add(24*time.Hour), now.Add(48*time.Hour), 20)
		return err
	})
	measure("stale", 10, func() error { _, err := s.Stale(t.Context(), now.Add(time.Hour), 100); return err })
	measure("backlog", 10, func() error { _, err := s.Backlog(t.Context()); return err })
	measure("census", 10, func() error { _, err := s.Census(t.Context()); return err })
	if few != 100 {
		t.Errorf("%d of a hundred went in 20 relays of 64", few)
	}
	for i := range 3 { // the dead rows of what was relayed are not walked through again and again
		measure(fmt.Sprint("relays after ", 20+i*300), 300, relay)
	}
}

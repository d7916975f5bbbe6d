package sqlite

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"calotype/services/image/internal/job"
)

// What is asked all the time finds its rows by an index, in their order, however many there are: no plan reads a whole table or sorts.
func TestPlansUseIndexes(t *testing.T) {
	s := openHere(t)
	list := func(f job.Filter, after job.ID) string {
		query, _ := listing(f, after, 9)
		return query
	}
	for what, query := range map[string]string{
		"a message":            postQuery,
		"a relay":              relayQuery,
		"a claim":              claimQuery,
		"stale jobs":           staleQuery,
		"scheduled jobs":       dueQuery,
		"expired images":       expiredImagesQuery,
		"expired jobs":         expiredJobsQuery,
		"expired receipts":     expireReceipts,
		"expired notices":      expireWebhooks,
		"expired batches":      expireBatches,
		"the same job":         inFlightQuery,
		"a batch":              batchQuery,
		"jobs of a tenant":     list(job.Filter{Tenant: "a"}, "b"),
		"jobs of an image":     list(job.Filter{Image: "a"}, "b"),
		"jobs in a state":      list(job.Filter{States: []job.State{job.Dead}}, "b"),
		"unreferenced bytes":   strings.Replace(unreferencedQuery, "json_each(?)", "(SELECT ? AS value) AS asked", 1), // a list is read as a whole
		"messages of a job":    "DELETE FROM outbox WHERE job_id = ?",
		"notices of a job":     "SELECT id FROM webhooks WHERE job_id = ?",
		"receipts of an image": "SELECT key FROM receipts WHERE image_id = ?",
	} {
		for _, step := range plan(t, s.write.db, query) {
			if strings.Contains(step, "TEMP B-TREE") || strings.HasPrefix(step, "SCAN") && step != "SCAN CONSTANT ROW" && step != "SCAN asked" {
				t.Errorf("%s: %s\n%s", what, step, query)
			}
		}
	}
}

func plan(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query("EXPLAIN QUERY PLAN "+query, make([]any, placeholders(query))...)
	steps, err := all(rows, err, func(row scanner) (step string, err error) {
		var id, parent, unused int
		err = row.Scan(&id, &parent, &unused, &step)
		return step, err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return steps
}

func placeholders(query string) int {
	if strings.Contains(query, "?8") {
		return 8
	}
	return strings.Count(query, "?")
}

// With twenty thousand messages waiting, taking and adding some costs what it costs with few.
func TestManyMessages(t *testing.T) {
	s := openHere(t)
	ids := job.NewIDs()
	now := time.Now()
	im := job.Image{ID: ids.Image(now), Created: now}
	accept := func(tenant string) job.Change {
		j, events := job.Accept(job.Job{ID: ids.Job(now), ImageID: im.ID, Wishes: job.Wishes{Tenant: tenant}}, now)
		return job.Change{Job: j, Events: events, Outbox: []job.Outgoing{{Topic: job.Tasks, Tenant: tenant, Message: job.Message{ID: string(j.ID), Body: []byte("x")}}}}
	}
	first := accept("many")
	if _, err := s.Commit(t.Context(), job.Commit{Image: &im, Jobs: []job.Change{first}}); err != nil {
		t.Fatal(err)
	}
	_, err := s.write.db.Exec(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
		INSERT INTO outbox (job_id, topic, message_id, headers, body, created, class, tenant, turn)
		SELECT ?, 'tasks', i, '{}', x'', 0, 'normal', 'many', i FROM n`, first.Job.ID)
	if err != nil {
		t.Fatal(err)
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
	measure("commit", 100, func() error {
		_, err := s.Commit(t.Context(), job.Commit{Jobs: []job.Change{accept("few")}})
		return err
	})
	measure("relay of 64", 20, func() error { _, err := relayed(t, s, 64); return err })
	measure("backlog", 10, func() error { _, err := s.Backlog(t.Context()); return err })
	measure("census", 10, func() error { _, err := s.Census(t.Context()); return err })
	few, err := relayed(t, s, 64)
	if err != nil {
		t.Fatal(err)
	}
	if few != 0 {
		t.Errorf("%d of the few are left after 20 relays of 64", few)
	}
}

// relayed takes messages and counts those of the tenant with few.
func relayed(t *testing.T, s *Store, limit int) (few int, err error) {
	t.Helper()
	_, err = s.Relay(t.Context(), job.Normal, limit, func(_ context.Context, messages []job.Outgoing) error {
		for _, m := range messages {
			if m.Tenant == "few" {
				few++
			}
		}
		return nil
	})
	return few, err
}

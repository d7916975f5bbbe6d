package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"calotype/services/image/internal/job"
)

// take relays up to limit messages of a class in one go.
func take(t *testing.T, s job.Store, class job.Class, limit int) (taken []job.Outgoing) {
	t.Helper()
	n, err := s.Relay(t.Context(), class, limit, func(_ context.Context, messages []job.Outgoing) error {
		taken = messages
		return nil
	})
	if err != nil || n != len(taken) {
		t.Fatalf("relayed %d, %v, of %d", n, err, len(taken))
	}
	return taken
}

// ask commits n jobs of a tenant at once and tells their messages' identifiers.
func ask(t *testing.T, s job.Store, im job.Image, n int, w job.Wishes) (sent []string) {
	t.Helper()
	var c job.Commit
	for range n {
		j := jobLike(im, w)
		c.Jobs = append(c.Jobs, j)
		sent = append(sent, j.Outbox[0].ID)
	}
	commit(t, s, c)
	return sent
}

func of(messages []job.Outgoing, tenant string) (sent []string) {
	for _, m := range messages {
		if m.Tenant == tenant {
			sent = append(sent, m.ID)
		}
	}
	return sent
}

// A tenant with a thousand messages does not delay one with ten, whenever that comes.
func testTurns(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := anImage(t, s, 1)
	many := ask(t, s, im, 1000, job.Wishes{Tenant: "many"})
	few := ask(t, s, im, 10, job.Wishes{Tenant: "few"})
	first := take(t, s, job.Normal, 25)
	same(t, "the ten, among the first", few, of(first, "few"))
	gone := len(of(first, "many"))
	same(t, "the thousand, in order", many[:gone], of(first, "many"))

	gone += len(of(take(t, s, job.Normal, 200), "many"))
	late := ask(t, s, im, 10, job.Wishes{Tenant: "late"})
	third := ask(t, s, im, 5, job.Wishes{})
	next := take(t, s, job.Normal, 35)
	same(t, "ten that came late", late, of(next, "late"))
	same(t, "five of no tenant", third, of(next, ""))
	same(t, "the thousand, in order", many[gone:gone+20], of(next, "many"))
}

// Nor does it help a tenant to commit its messages one by one, at once, through two managers.
func testTurnsOfMany(t *testing.T, suite Suite) {
	s := suite.Open(t)
	handles := []job.Store{s, suite.Reopen(t, s)}
	im := anImage(t, s, 1)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 20 {
				if _, err := handles[i%2].Commit(t.Context(), job.Commit{Jobs: []job.Change{jobLike(im, job.Wishes{Tenant: "many"})}}); err != nil {
					t.Errorf("committing: %v", err)
				}
			}
		})
	}
	wg.Wait()
	few := ask(t, s, im, 10, job.Wishes{Tenant: "few"})
	if got := of(take(t, s, job.Normal, 60), "few"); !slices.Equal(got, few) {
		t.Errorf("of ten, %d are among the first 60: %v", len(got), got)
	}
	if n := len(drain(t, s)); n != 16*20-50 {
		t.Errorf("%d are left", n)
	}
}

// What a tenant commits one after the other goes in that order, through whichever manager.
func testTurnsInOrder(t *testing.T, suite Suite) {
	s := suite.Open(t)
	handles := []job.Store{s, suite.Reopen(t, s)}
	im := anImage(t, s, 1)
	want := map[string][]string{}
	for i := range 60 {
		tenant := fmt.Sprint(i % 3 % 2)
		want[tenant] = append(want[tenant], ask(t, handles[i/2%2], im, 1+i%4, job.Wishes{Tenant: tenant})...)
		if i%7 == 6 {
			for _, m := range take(t, s, job.Normal, 3) {
				if m.ID != want[m.Tenant][0] {
					t.Fatalf("%s came before %s", m.ID, want[m.Tenant][0])
				}
				want[m.Tenant] = want[m.Tenant][1:]
			}
		}
	}
	all := take(t, s, job.Normal, 1000)
	for tenant, messages := range want {
		same(t, "the rest of tenant "+tenant, messages, of(all, tenant))
	}
}

// The classes know nothing of each other's messages, nor of each other's turns.
func testClassesApart(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := anImage(t, s, 1)
	want := map[job.Class][]string{}
	for _, class := range []job.Class{job.Bulk, job.Interactive, job.Bulk, job.Normal, job.Bulk, job.Interactive} {
		want[class] = append(want[class], ask(t, s, im, 3, job.Wishes{Tenant: "a", Class: class})...)
	}
	want[job.Normal] = append(want[job.Normal], ask(t, s, im, 1, job.Wishes{Tenant: "a"})...) // has none, means normal
	for _, class := range job.Classes() {
		for _, m := range take(t, s, class, 100) {
			if m.Class != class || m.Tenant != "a" || want[class][0] != m.ID {
				t.Errorf("%s of class %s in the place of %s of class %s", m.ID, m.Class, want[class][0], class)
			}
			want[class] = want[class][1:]
		}
		if len(want[class]) > 0 {
			t.Errorf("class %s lacks %v", class, want[class])
		}
	}
}

func testBacklog(t *testing.T, suite Suite) {
	s := suite.Open(t)
	im := anImage(t, s, 1)
	for i, class := range job.Classes() {
		ask(t, s, im, 10*(i+1), job.Wishes{Class: class})
	}
	count := func(want int) {
		t.Helper()
		if n, err := s.Backlog(t.Context()); n != want || err != nil {
			t.Errorf("backlog %d, %v, want %d", n, err, want)
		}
	}
	count(60)
	take(t, s, job.Bulk, 7)
	count(53)
	if _, err := s.Forget(t.Context(), im.ID); err != nil {
		t.Fatal(err)
	}
	count(0)
}

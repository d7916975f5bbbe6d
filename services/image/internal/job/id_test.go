package job_test

import (
	"regexp"
	"sync"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

func TestIDsSortAsTheyWereMade(t *testing.T) {
	g := job.NewIDs()
	form := regexp.MustCompile(`^job_[0-9A-HJKMNP-TV-Z]{26}$`)
	last := job.ID("")
	for i := range 10000 {
		when := begin.Add(time.Duration(i/100) * time.Millisecond)
		if i > 5000 {
			when = begin // the clock was set back
		}
		id := g.Job(when)
		if id <= last || !form.MatchString(string(id)) {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

func TestIDsFromManyGoroutinesDiffer(t *testing.T) {
	g := job.NewIDs()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		seen = map[job.ImageID]bool{}
	)
	for range 8 {
		wg.Go(func() {
			for range 500 {
				id := g.Image(now)
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != 4000 {
		t.Errorf("%d identifiers of 4000 differ", len(seen))
	}
}

func TestPageTokens(t *testing.T) {
	id := string(job.NewIDs().Job(now))
	token := job.PageToken("jobs?state=dead", id)
	got, err := job.ReadPageToken("jobs?state=dead", "job_", token)
	if err != nil || got != id {
		t.Errorf("got %q, %v, want %q", got, err, id)
	}
	if got, err := job.ReadPageToken("jobs", "job_", ""); got != "" || err != nil {
		t.Errorf("the empty token gave %q, %v", got, err)
	}
	for name, c := range map[string][2]string{
		"another filter": {"jobs?state=failed", token},
		"cut":            {"jobs?state=dead", token[:len(token)-1]},
		"changed":        {"jobs?state=dead", "Z" + token[1:]},
		"longer":         {"jobs?state=dead", token + "A"},
		"no base64":      {"jobs?state=dead", "&&&"},
		"an identifier":  {"jobs?state=dead", id},
	} {
		if _, err := job.ReadPageToken(c[0], "job_", c[1]); err == nil || fault.ReasonOf(err) != "BAD_PAGE_TOKEN" || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPageSize(t *testing.T) {
	for asked, want := range map[int]int{0: 50, 1: 1, 1000: 1000} {
		if got, err := job.PageSize(asked); got != want || err != nil {
			t.Errorf("PageSize(%d) = %d, %v", asked, got, err)
		}
	}
	for _, asked := range []int{-1, 1001} {
		if _, err := job.PageSize(asked); err == nil || !fault.Is(err, fault.Invalid) {
			t.Errorf("PageSize(%d): %v", asked, err)
		}
	}
}

func TestDigest(t *testing.T) {
	good := job.Digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
	for d, want := range map[job.Digest]bool{good: true, "": false, good[1:]: false, good[1:] + "G": false, good[1:] + "F": false, good + "0": false} {
		if d.Valid() != want {
			t.Errorf("%q: %v", d, !want)
		}
	}
}

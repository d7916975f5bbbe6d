package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"calotype/services/image/internal/job"
	"calotype/services/image/internal/sqlite"
)

const childPath = "CALOTYPE_TEST_STORE"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		commitUntilKilled(path)
	}
	os.Exit(m.Run())
}

// commitUntilKilled prints each job once it is acknowledged.
func commitUntilKilled(path string) {
	s, err := sqlite.Open(context.Background(), path)
	if err != nil {
		panic(err)
	}
	ids := job.NewIDs()
	var out sync.Mutex
	for range 4 {
		go func() {
			for {
				now := time.Now()
				im := job.Image{ID: ids.Image(now), Created: now}
				j, events := job.Accept(job.Job{ID: ids.Job(now), ImageID: im.ID}, now)
				_, err := s.Commit(context.Background(), job.Commit{
					Image: &im, Jobs: []job.Change{{Job: j, Events: events, Outbox: []job.Outgoing{{Topic: job.Tasks, Message: job.Message{ID: string(j.ID), Body: []byte("x")}}}}},
					Receipt: job.Receipt{Key: string(j.ID), Image: im.ID, Job: j.ID, Created: now, Expires: now.Add(time.Hour)},
				})
				if err != nil {
					panic(err)
				}
				out.Lock()
				fmt.Println(im.ID, j.ID)
				out.Unlock()
			}
		}()
	}
	select {}
}

// What was acknowledged is there after the process was killed, whole; what was not is there whole or not at all.
func TestKilledAtAnyMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	acknowledged := map[job.ID]job.ImageID{}
	for round := range 5 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childPath+"="+path)
		pipe, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(pipe)
		for n := 0; lines.Scan(); n++ {
			var im job.ImageID
			var j job.ID
			if _, err := fmt.Sscan(lines.Text(), &im, &j); err == nil { // the last line may be cut
				acknowledged[j] = im
			}
			if n == 20+17*round {
				_ = child.Process.Kill() // what it still wrote is read to the end
			}
		}
		_ = child.Wait() // it was killed
	}

	s := open(t, path)
	waiting := map[string]bool{}
	for n := 1; n > 0; {
		var err error
		n, err = s.Relay(t.Context(), job.Normal, 100, func(_ context.Context, ms []job.Outgoing) error {
			for _, m := range ms {
				waiting[m.ID] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	whole := func(id job.ID, im job.ImageID) {
		_, imageErr := s.Image(t.Context(), im)
		_, jobErr := s.Job(t.Context(), id)
		_, receiptErr := s.Receipt(t.Context(), string(id), time.Now())
		events, eventsErr := s.Events(t.Context(), id, 0, 9)
		if imageErr != nil || jobErr != nil || receiptErr != nil || eventsErr != nil || len(events) != 1 || !waiting[string(id)] {
			t.Errorf("%s is not whole: %v, %v, %v, %v, %d events, message %v", id, imageErr, jobErr, receiptErr, eventsErr, len(events), waiting[string(id)])
		}
	}
	for id, im := range acknowledged {
		whole(id, im)
	}
	jobs, err := s.Jobs(t.Context(), job.Filter{}, "", 1_000_000)
	if err != nil || len(jobs) < len(acknowledged) || len(acknowledged) < 5*20 {
		t.Fatalf("%d jobs, %d acknowledged, %v", len(jobs), len(acknowledged), err)
	}
	for _, j := range jobs {
		whole(j.ID, j.ImageID)
	}
}

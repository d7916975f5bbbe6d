package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	_ "modernc.org/sqlite"

	imagev1 "calotype/proto/image/v1"
)

const crashes = 40

// TestJobSurvivesKill kills the whole process with kill -9 over and over, each time at another moment between an upload's first byte and
// its job's end. What was acknowledged must be there after the next start, and finish with the same bytes as ever; what was not can
// be sent again under its key. How narrow steps are survived is shown one by one by the tests of the storage service, the queue
// and the job store; here they meet.
func TestJobSurvivesKill(t *testing.T) {
	photo := picture(t, "photo.jpg")
	data := t.TempDir()
	s := up(t, data)
	began := time.Now()
	a, err := upload(within(t), s.base, "", url.Values{"preset": {"web"}}, photo)
	if err != nil {
		t.Fatal(err)
	}
	answered := time.Since(began)
	made := &imagev1.CreateImageResponse{}
	read(t, a, http.StatusCreated, made)
	first := ended(t, s.base, made.Job.Id)
	whole := time.Since(began)
	if first.State != imagev1.Job_SUCCEEDED {
		t.Fatalf("without any kill the job ended %v: %v", first.State, first.Failure)
	}
	want := digests(first)

	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d; an upload is answered after %v, its job has ended after %v", seed, answered, whole)
	met := map[string]int{}
	for i := range crashes {
		key := fmt.Sprintf("crash-%d", i)
		span := answered // the half of the kills that falls here meets the steps before the answer
		if i%2 == 1 {
			span = whole
		}
		moment := time.Duration(random.Int64N(int64(span) * 5 / 4))
		acknowledged := make(chan string, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			a, err := upload(ctx, s.base, key, url.Values{"preset": {"web"}}, photo)
			made := &imagev1.CreateImageResponse{}
			if err != nil || a.status != http.StatusCreated || protojson.Unmarshal(a.body, made) != nil {
				acknowledged <- ""
				return
			}
			acknowledged <- made.Job.Id
		}()
		<-time.After(moment) // the kill's moment is what the test varies
		s.Kill()
		cancel()
		id := <-acknowledged
		step := where(t, data, id)
		met[step]++

		s.Start()
		if id != "" {
			survived(t, s.base, id, want, step)
		}
		a, err := upload(within(t), s.base, key, url.Values{"preset": {"web"}}, photo)
		if err != nil {
			t.Fatal(err)
		}
		again := &imagev1.CreateImageResponse{}
		read(t, a, http.StatusCreated, again)
		if id != "" && again.Job.Id != id {
			t.Errorf("killed %s: the same key gave %s, then %s", step, id, again.Job.Id)
		}
		survived(t, s.base, again.Job.Id, want, step)
	}
	t.Logf("killed while: %v", met)
	for _, step := range []string{"not acknowledged", "the job was queued or worked on"} {
		if met[step] == 0 {
			t.Errorf("no kill of %d fell while %s", crashes, step)
		}
	}
}

// where tells, from what the dead process left behind, how far it had come.
func where(t *testing.T, data, id string) string {
	t.Helper()
	if id == "" {
		return "not acknowledged"
	}
	db, err := sql.Open("sqlite", filepath.Join(data, "image.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var state string
	if err := db.QueryRowContext(t.Context(), "SELECT state FROM jobs WHERE id = ?", id).Scan(&state); err != nil {
		t.Fatalf("acknowledged job %s is not in the store: %v", id, err)
	}
	if state == "succeeded" {
		return "the job had ended"
	}
	return "the job was queued or worked on"
}

func survived(t *testing.T, base, id string, want []string, step string) {
	t.Helper()
	job := ended(t, base, id)
	if job.State != imagev1.Job_SUCCEEDED || !slices.Equal(digests(job), want) {
		t.Errorf("killed %s: %s is %v with %v, want SUCCEEDED with %v (%v)", step, id, job.State, digests(job), want, job.Failure)
	}
	for _, r := range job.Results {
		download(t, base, job, r)
	}
}

func digests(job *imagev1.Job) []string {
	var all []string
	for _, r := range job.Results {
		all = append(all, r.Name+" "+r.Digest)
	}
	return all
}

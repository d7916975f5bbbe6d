package chaos

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/chaos/internal/ledger"
)

const (
	goodJobs   = 500
	poisonJobs = 5
)

// Five jobs that kill whatever process works on them, among five hundred that do not: the five are dead after three deliveries each, and
// the others, those that ran beside them included, succeed.
func TestPoison(t *testing.T) {
	_, _, secret := newReceiver(t)
	c := newCluster(t, plan{brokers: 1, managers: 1, workers: 2, worker: "fragile", webhookSecret: secret})
	photo, err := os.ReadFile(filepath.Join("..", "pictures", "photo.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	good := c.image(t, photo)
	alone := c.jobs(t, good, goodJobs)
	c.await(t)
	usual := waited(t, c, alone)

	poison := c.image(t, append(photo, []byte("calotype poison")...))
	half := c.jobs(t, good, goodJobs/2)
	deadly := c.jobs(t, poison, poisonJobs)
	all := append(half, c.jobs(t, good, goodJobs/2)...)
	c.await(t)

	for _, id := range deadly {
		j := c.job(t, id)
		if j.GetState() != imagev1.Job_DEAD || j.GetAttempts() != 3 {
			t.Errorf("a poisonous job is %v after %d attempts, not dead after 3: %v", j.GetState(), j.GetAttempts(), j.GetFailure())
		}
	}
	for _, id := range all {
		if j := c.job(t, id); j.GetState() != imagev1.Job_SUCCEEDED {
			t.Errorf("a neighbour is %v: %v", j.GetState(), j.GetFailure())
		}
	}
	beside := waited(t, c, all)
	t.Logf("p95 of %d jobs, from acceptance to end: %v without poison, %v with it (%.1f x)", goodJobs, usual, beside, beside.Seconds()/usual.Seconds())
}

func (c *cluster) image(t *testing.T, data []byte) string {
	t.Helper()
	a, err := c.Upload(t.Context(), "", nil, data)
	if err != nil {
		t.Fatal(err)
	}
	made, err := a.Created()
	if err != nil {
		t.Fatal(err)
	}
	return made.GetImage().GetId()
}

// jobs begins n jobs on an image.
func (c *cluster) jobs(t *testing.T, image string, n int) []string {
	t.Helper()
	ids := make([]string, n)
	var g errgroup.Group
	g.SetLimit(16)
	for i := range n {
		g.Go(func() error {
			body := fmt.Sprintf(`{"image_id": %q, "variants": ["page:w_640,f_webp"]}`, image)
			a, err := c.Send(t.Context(), http.MethodPost, "/v1/jobs", nil, strings.NewReader(body))
			if err != nil {
				return err
			}
			j := &imagev1.Job{}
			if a.Status != http.StatusCreated {
				return fmt.Errorf("%v", a)
			}
			err = protojson.Unmarshal(a.Body, j)
			ids[i] = j.GetId()
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// await waits until every job has ended, and starts workers anew at once that died, as whatever runs them would.
func (c *cluster) await(t *testing.T) {
	t.Helper()
	eventually(t, "the jobs end", 4*time.Minute, func() error {
		for _, n := range c.workers {
			if n.Ended() {
				n.Start()
			}
		}
		return ledger.Unfinished(t.Context(), c.Caller, 1)
	})
}

func (c *cluster) job(t *testing.T, id string) *imagev1.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	j := &imagev1.Job{}
	if err := c.Fetch(ctx, "/v1/jobs/"+url.PathEscape(id), j); err != nil {
		t.Fatal(err)
	}
	return j
}

// waited is the 95th percentile of the time from acceptance to end.
func waited(t *testing.T, c *cluster, ids []string) time.Duration {
	t.Helper()
	var all []time.Duration
	for _, id := range ids {
		j := c.job(t, id)
		all = append(all, j.GetEndTime().AsTime().Sub(j.GetCreateTime().AsTime()))
	}
	slices.Sort(all)
	return all[len(all)*95/100].Round(time.Millisecond)
}

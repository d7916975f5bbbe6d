package chaos

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	imagev1 "calotype/proto/image/v1"
)

const (
	beat       = 50 * time.Millisecond // between uploads
	faultEvery = 10 * time.Second
	endWithin  = 60 * time.Second // of the last upload, every job
)

// The ledger test: uploads with jobs come at 20 a second while something breaks every 10 s; afterwards every job that was
// acknowledged has ended once, with the right pictures, one terminal event and one signed webhook. CHAOS_SECONDS, CHAOS_SEED and
// CHAOS_BROKERS change it: `make chaos` runs it for 3 minutes on three brokers.
func TestLedger(t *testing.T) {
	seconds, seed, brokers := number(t, "CHAOS_SECONDS", 45), number(t, "CHAOS_SEED", time.Now().UnixNano()), number(t, "CHAOS_BROKERS", 1)
	t.Logf("CHAOS_SEED=%d CHAOS_SECONDS=%d CHAOS_BROKERS=%d", seed, seconds, brokers)
	hook, secret := newReceiver(t)
	c := newCluster(t, plan{brokers: int(brokers), managers: 2, workers: 3, worker: "worker", webhookSecret: secret})
	pictures := pictures(t, 8)
	query := url.Values{"variants": {"small:w_120,f_webp,q_80", "square:w_64,h_64,c_fill,f_jpg"}, "webhook_url": {hook.URL}}
	want := expected(t, c, pictures, query)

	book := &ledger{}
	load := &loader{base: c.base, query: query, pictures: pictures, ledger: book}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(seconds)*time.Second)
	defer cancel()
	began := time.Now()
	done := make(chan struct{})
	go func() { defer close(done); load.run(ctx, beat) }()
	p := &planner{Rand: rand.New(rand.NewPCG(uint64(seed), 0)), c: c, busy: map[*node]bool{}}
	p.run(ctx, began, faultEvery)
	<-done
	ended := time.Now()
	t.Logf("what went wrong:\n%s", strings.Join(p.told, "\n"))
	t.Logf("%d uploads acknowledged, after p50 %v, p99 %v, longest %v; %d tries were refused on the way, %d uploads given up",
		len(book.acked), book.quantile(0.5), book.quantile(0.99), book.quantile(1), book.refusals, len(book.lost))
	if len(book.acked) == 0 {
		t.Fatal("nothing was acknowledged")
	}

	settled(t, c, endWithin)
	t.Logf("every job has ended %v after the last upload", time.Since(ended).Round(time.Second))
	audit(t, c, book, want)
	eventually(t, "the last webhooks", 2*time.Minute, func() error {
		for _, e := range book.acked {
			if hook.of(e.job) == 0 {
				return fmt.Errorf("none of %s", e.job)
			}
		}
		return nil
	})
	for _, e := range book.acked {
		if n := hook.of(e.job); n != 1 {
			t.Errorf("%s has %d webhooks", e.job, n)
		}
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	t.Logf("one webhook for each, of which %d came more than once under the same id", hook.copies)
	for _, w := range hook.wrong {
		t.Error(w)
	}
}

func number(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pictures are small and different, so that the load is the machinery's and not the encoders'.
func pictures(t *testing.T, n int) (all [][]byte) {
	t.Helper()
	for i := range n {
		im := image.NewRGBA(image.Rect(0, 0, 200+10*i, 150))
		for y := range im.Rect.Dy() {
			for x := range im.Rect.Dx() {
				im.Set(x, y, color.RGBA{uint8(x * (i + 1)), uint8(y), uint8(x ^ y), 255})
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, im, nil); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Bytes())
	}
	return all
}

// expected makes each picture's variants once while all is well, and gives the digests by picture and name.
func expected(t *testing.T, c *cluster, pictures [][]byte, query url.Values) []map[string]string {
	t.Helper()
	book := &ledger{}
	l := &loader{base: c.base, query: query, pictures: pictures, ledger: book}
	all := make([]map[string]string, len(pictures))
	for i := range pictures {
		e := &entry{key: fmt.Sprintf("before-%d", i), picture: i}
		l.upload(e)
		eventually(t, "the first jobs", endWithin, func() error {
			j := &imagev1.Job{}
			if err := fetch(t.Context(), c.base+"/v1/jobs/"+e.job, j); err != nil {
				return err
			}
			if j.GetState() != imagev1.Job_SUCCEEDED {
				return fmt.Errorf("%v: %v", j.GetState(), j.GetFailure())
			}
			all[i] = map[string]string{}
			for _, r := range j.GetResults() {
				all[i][r.GetName()] = r.GetDigest()
			}
			return nil
		})
	}
	return all
}

// settled waits until no job is left that has not ended.
func settled(t *testing.T, c *cluster, within time.Duration) {
	t.Helper()
	eventually(t, "every job has ended", within, func() error { return unfinished(t.Context(), c, 1000) })
}

// unfinished fails while there is a job that has not ended; it counts them as far as a page goes.
func unfinished(ctx context.Context, c *cluster, page int) error {
	for _, state := range []string{"QUEUED", "RUNNING", "SCHEDULED"} {
		left := &imagev1.ListJobsResponse{}
		if err := fetch(ctx, fmt.Sprintf("%s/v1/jobs?page_size=%d&state=%s", c.base, page, state), left); err != nil {
			return err
		}
		if n := len(left.GetJobs()); n > 0 {
			return fmt.Errorf("%d jobs are %s, for example %v", n, state, left.GetJobs()[0])
		}
	}
	return nil
}

// audit compares every entry with what is there now.
func audit(t *testing.T, c *cluster, book *ledger, want []map[string]string) {
	t.Helper()
	seen := map[string]string{}
	var g errgroup.Group
	g.SetLimit(8)
	for _, e := range book.acked {
		if other, twice := seen[e.job]; twice {
			t.Errorf("%s and %s were answered with the same job %s", other, e.key, e.job)
		}
		seen[e.job] = e.key
		g.Go(func() error {
			if err := check(t.Context(), c, e, want[e.picture]); err != nil {
				t.Errorf("%s, job %s: %v", e.key, e.job, err)
			}
			return nil
		})
	}
	_ = g.Wait()
	jobs, token := 0, ""
	for {
		page := &imagev1.ListJobsResponse{}
		if err := fetch(t.Context(), c.base+"/v1/jobs?page_size=1000&page_token="+token, page); err != nil {
			t.Fatal(err)
		}
		jobs += len(page.GetJobs())
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if most := len(want) + len(book.acked) + len(book.lost); jobs > most {
		t.Errorf("there are %d jobs of %d uploads", jobs, most)
	}
}

func check(ctx context.Context, c *cluster, e *entry, want map[string]string) error {
	j := &imagev1.Job{}
	if err := fetch(ctx, c.base+"/v1/jobs/"+e.job, j); err != nil {
		return err
	}
	if j.GetState() != imagev1.Job_SUCCEEDED {
		return fmt.Errorf("it ended %v after %d attempts: %v", j.GetState(), j.GetAttempts(), j.GetFailure())
	}
	for _, r := range j.GetResults() {
		if want[r.GetName()] != r.GetDigest() {
			return fmt.Errorf("variant %s is %s, not %s", r.GetName(), r.GetDigest(), want[r.GetName()])
		}
		a, err := send(ctx, http.MethodGet, c.base+"/v1/images/"+e.image+"/variants/"+r.GetName(), nil, nil)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(a.body); a.status != http.StatusOK || hex.EncodeToString(sum[:]) != r.GetDigest() {
			return fmt.Errorf("variant %s is answered with %d and the sha256 %x, not %s", r.GetName(), a.status, sum, r.GetDigest())
		}
	}
	if len(j.GetResults()) != len(want) {
		return fmt.Errorf("it has %d results, not %d", len(j.GetResults()), len(want))
	}
	a, err := send(ctx, http.MethodGet, c.base+"/v1/jobs/"+e.job+"/events", nil, nil)
	if err != nil {
		return err
	}
	ends := 0
	for line := range strings.Lines(string(a.body)) {
		switch strings.TrimSpace(line) {
		case "event: succeeded", "event: failed", "event: cancelled", "event: dead":
			ends++
		}
	}
	if ends != 1 {
		return fmt.Errorf("it has %d terminal events:\n%s", ends, a.body)
	}
	return nil
}

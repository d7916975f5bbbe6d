package chaos

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/chaos/internal/ledger"
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
	hook, hookURL, secret := newReceiver(t)
	c := newCluster(t, plan{brokers: int(brokers), managers: 2, workers: 3, worker: "worker", webhookSecret: secret})
	pictures := pictures(t, 8)
	query := url.Values{"variants": {"small:w_120,f_webp,q_80", "square:w_64,h_64,c_fill,f_jpg"}, "webhook_url": {hookURL}}
	want := expected(t, c, pictures, query)

	book := &ledger.Ledger{}
	load := &loader{Caller: c.Caller, query: query, pictures: pictures, ledger: book}
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
	acked := book.Acked()
	refused, givenUp := book.Refusals()
	t.Logf("%d uploads acknowledged, after p50 %v, p99 %v, longest %v; %d tries were refused on the way, %d uploads given up",
		len(acked), book.Quantile(0.5), book.Quantile(0.99), book.Quantile(1), refused, givenUp)
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged")
	}

	settled(t, c, endWithin)
	t.Logf("every job has ended %v after the last upload", time.Since(ended).Round(time.Second))
	auditor := &ledger.Auditor{Caller: c.Caller, Want: want}
	for _, f := range auditor.Audit(t.Context(), acked) {
		if f.Err != nil {
			t.Error(f.Err)
		}
	}
	if jobs, most := count(t, c), len(want)+len(acked)+givenUp; jobs > most {
		t.Errorf("there are %d jobs of %d uploads", jobs, most)
	}
	eventually(t, "the last webhooks", 2*time.Minute, func() error {
		for _, e := range acked {
			if hook.Of(e.Job) == 0 {
				return fmt.Errorf("none of %s", e.Job)
			}
		}
		return nil
	})
	for _, e := range acked {
		if n := hook.Of(e.Job); n != 1 {
			t.Errorf("%s has %d webhooks", e.Job, n)
		}
	}
	t.Logf("one webhook for each, of which %d came more than once under the same id", hook.Copies())
	for _, w := range hook.Wrong() {
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
	book := &ledger.Ledger{}
	l := &loader{Caller: c.Caller, query: query, pictures: pictures, ledger: book}
	all := make([]map[string]string, len(pictures))
	for i := range pictures {
		e := &ledger.Entry{Key: fmt.Sprintf("before-%d", i), Picture: i}
		l.upload(e)
		eventually(t, "the first jobs", endWithin, func() error {
			j := &imagev1.Job{}
			if err := c.Fetch(t.Context(), "/v1/jobs/"+e.Job, j); err != nil {
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
	eventually(t, "every job has ended", within, func() error { return ledger.Unfinished(t.Context(), c.Caller, 1000) })
}

// count tells how many jobs there are.
func count(t *testing.T, c *cluster) (jobs int) {
	t.Helper()
	for token := ""; ; {
		page := &imagev1.ListJobsResponse{}
		if err := c.Fetch(t.Context(), "/v1/jobs?page_size=1000&page_token="+token, page); err != nil {
			t.Fatal(err)
		}
		jobs += len(page.GetJobs())
		if token = page.GetNextPageToken(); token == "" {
			return jobs
		}
	}
}

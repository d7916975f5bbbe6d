package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
)

// patience is how long one question goes unanswered until that is what was found.
const patience = 20 * time.Second

// Auditor looks at what became of entries.
type Auditor struct {
	*caller.Caller
	// Want is, by picture and variant, the sha256 that a result must have.
	Want []map[string]string
	// AtOnce is how many entries are looked at together; 0 means 8.
	AtOnce int
}

// Found is what became of an entry. Err is set when it is not what was acknowledged.
type Found struct {
	Entry
	Created, Started, Ended time.Time
	Attempts                int32
	Err                     error
}

// Audit compares every entry with what is there now.
func (a *Auditor) Audit(ctx context.Context, entries []Entry) []Found {
	found := make([]Found, len(entries))
	seen := map[string]string{}
	var g errgroup.Group
	g.SetLimit(cmp.Or(a.AtOnce, 8))
	for i, e := range entries {
		f := &found[i]
		f.Entry = e
		if other, twice := seen[e.Job]; twice {
			f.Err = fmt.Errorf("%s and %s were answered with the same job %s", other, e.Key, e.Job)
			continue
		}
		seen[e.Job] = e.Key
		g.Go(func() error {
			if err := a.check(ctx, f); err != nil {
				f.Err = fmt.Errorf("%s, job %s: %w", e.Key, e.Job, err)
			}
			return nil
		})
	}
	_ = g.Wait() // none of them fails
	return found
}

// check asks for everything that was promised: the job's one end, its results, the original.
func (a *Auditor) check(ctx context.Context, f *Found) error {
	said, err := a.ask(ctx, "/v1/jobs/"+f.Job)
	if err != nil {
		return err
	}
	if said.Status != http.StatusOK {
		return fmt.Errorf("its job is answered with %v", said)
	}
	j := &imagev1.Job{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(said.Body, j); err != nil {
		return err
	}
	f.Created, f.Started, f.Ended, f.Attempts = j.GetCreateTime().AsTime(), j.GetStartTime().AsTime(), j.GetEndTime().AsTime(), j.GetAttempts()
	if j.GetState() != imagev1.Job_SUCCEEDED {
		return fmt.Errorf("it ended %v after %d attempts: %v", j.GetState(), j.GetAttempts(), j.GetFailure())
	}
	want := a.Want[f.Picture]
	if len(j.GetResults()) != len(want) {
		return fmt.Errorf("it has %d results, not %d", len(j.GetResults()), len(want))
	}
	for _, r := range j.GetResults() {
		if want[r.GetName()] != r.GetDigest() {
			return fmt.Errorf("variant %s is %s, not %s", r.GetName(), r.GetDigest(), want[r.GetName()])
		}
		if err := a.bytes(ctx, "/v1/images/"+f.Image+"/variants/"+r.GetName(), r.GetDigest()); err != nil {
			return err
		}
	}
	if f.Original != "" {
		if err := a.bytes(ctx, "/v1/images/"+f.Image+"/original", f.Original); err != nil {
			return err
		}
	}
	return a.ends(ctx, f.Job)
}

func (a *Auditor) bytes(ctx context.Context, path, digest string) error {
	got, err := a.ask(ctx, path)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(got.Body); got.Status != http.StatusOK || hex.EncodeToString(sum[:]) != digest {
		return fmt.Errorf("%s is answered with %d and the sha256 %x, not %s", path, got.Status, sum, digest)
	}
	return nil
}

// heard asks until there is an answer: who is not told now may be told that all is well a moment later.
func (a *Auditor) heard(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return caller.Until(ctx, time.Second, ask)
}

// ask gets what is at path.
func (a *Auditor) ask(ctx context.Context, path string) (got caller.Answer, err error) {
	err = a.heard(ctx, func(ctx context.Context) (err error) {
		if got, err = a.Get(ctx, path); err == nil && got.Status >= http.StatusInternalServerError {
			err = fmt.Errorf("GET %s: %v", path, got)
		}
		return err
	})
	return got, err
}

// ends fails unless the job tells of exactly one end.
func (a *Auditor) ends(ctx context.Context, job string) error {
	var events []caller.Event
	err := a.heard(ctx, func(ctx context.Context) (err error) {
		events, err = a.Events(ctx, "/v1/jobs/"+job+"/events", "", nil)
		return err
	})
	if err != nil {
		return err
	}
	ends := 0
	for _, e := range events {
		switch e.Name {
		case "succeeded", "failed", "cancelled", "dead":
			ends++
		}
	}
	if ends != 1 {
		return fmt.Errorf("it has %d terminal events: %v", ends, events)
	}
	return nil
}

// Unfinished fails while there is a job that has not ended; it counts them as far as a page goes.
func Unfinished(ctx context.Context, c *caller.Caller, page int) error {
	for _, state := range []string{"QUEUED", "RUNNING", "SCHEDULED"} {
		left := &imagev1.ListJobsResponse{}
		if err := c.Fetch(ctx, fmt.Sprintf("/v1/jobs?page_size=%d&state=%s", page, state), left); err != nil {
			return err
		}
		if n := len(left.GetJobs()); n > 0 {
			return fmt.Errorf("%d jobs are %s, for example %v", n, state, left.GetJobs()[0])
		}
	}
	return nil
}

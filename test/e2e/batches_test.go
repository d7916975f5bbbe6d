package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	imagev1 "calotype/proto/image/v1"
)

// images uploads a picture a few times and gives the images' ids.
func images(t *testing.T, base string, n int) (ids []string) {
	t.Helper()
	for range n {
		a, err := upload(within(t), base, "", nil, picture(t, "photo.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		made := &imagev1.CreateImageResponse{}
		read(t, a, http.StatusCreated, made)
		ids = append(ids, made.Image.Id)
	}
	return ids
}

func post(t *testing.T, url string, m, into proto.Message, status int) answer {
	t.Helper()
	b, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	a, err := send(within(t), http.MethodPost, url, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		read(t, a, status, into)
	}
	return a
}

// TestBatches begins, follows, cancels and redrives jobs by the batch, as scripts do.
func TestBatches(t *testing.T) {
	s := up(t, t.TempDir())
	ids := images(t, s.base, 4)

	out, errs, code := calotype(t, s.base, append([]string{"batch", "create", "--preset", "thumb", "--priority", "bulk", "--tenant", "shop", "--json"}, ids...)...)
	b := &imagev1.Batch{}
	if err := protojson.Unmarshal([]byte(out), b); code != 0 || err != nil || b.Total != 4 {
		t.Fatalf("batch create: %d %v\n%s\n%s", code, err, out, errs)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"batch", "watch", b.Id}, 0, "100%  4 succeeded"},
		{[]string{"batch", b.Id}, 0, "4 succeeded"},
		{[]string{"batch", "cancel", b.Id}, 0, "4 succeeded"},
		{[]string{"jobs", "--batch", b.Id, "--state", "succeeded"}, 0, ids[3]},
		{[]string{"jobs", "redrive", "--batch", b.Id}, 0, "0 jobs queued again"},
		{[]string{"jobs", "redrive", "--state", "succeeded"}, 1, "BAD_STATE"},
		{[]string{"batch", "create", ids[0], "img_none", "--preset", "thumb"}, 1, "image_ids[1]"},
		{[]string{"batch", "create", ids[0], ids[0], "--preset", "thumb"}, 1, "image_ids[1]: is the same as image_ids[0]"},
		{[]string{"batch", "create", ids[0], "--preset", "thumb", "--webhook", "ftp://example.com"}, 1, "options.webhook_url"},
		{[]string{"batch", "create", ids[0]}, 1, "BAD_RECIPE"},
		{[]string{"batch", "bat_none"}, 1, "BATCH_NOT_FOUND"},
	} {
		out, errs, code := calotype(t, s.base, c.args...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("calotype %s: exit code %d, want %d with %q\n%s\n%s", strings.Join(c.args, " "), code, c.code, c.want, out, errs)
		}
	}
	if a := get(t, s.base+"/v1/batches/"+b.Id+"/events"); a.status != http.StatusOK || !strings.Contains(string(a.body), `"done":true`) {
		t.Errorf("the events are %d %s", a.status, a.body)
	}

	waits := &imagev1.Batch{}
	post(t, s.base+"/v1/batches", &imagev1.CreateBatchRequest{ImageIds: ids, Variants: []string{"tiny:w_16"},
		Options: &imagev1.JobOptions{Tenant: "later", NotBefore: timestamppb.New(time.Now().Add(time.Hour))}}, waits, http.StatusCreated)
	out, _, code = calotype(t, s.base, "batch", "cancel", waits.Id)
	if code != 0 || !strings.Contains(out, "4 cancelled") {
		t.Errorf("batch cancel: %d %s", code, out)
	}
	if out, _, code = calotype(t, s.base, "batch", "watch", waits.Id); code != 1 {
		t.Errorf("watching what was cancelled: %d %s", code, out)
	}
	out, _, code = calotype(t, s.base, "jobs", "redrive", "--state", "cancelled", "--tenant", "later", "-n", "3")
	if code != 0 || !strings.Contains(out, "3 jobs queued again; more are left") {
		t.Errorf("redrive: %d %s", code, out)
	}
	if out, _, code = calotype(t, s.base, "jobs", "redrive", "--state", "cancelled", "--tenant", "later"); code != 0 || out != "1 jobs queued again\n" {
		t.Errorf("redrive: %d %q", code, out)
	}
	if out, errs, code = calotype(t, s.base, "batch", "watch", waits.Id); code != 0 || !strings.Contains(out, "4 succeeded") {
		t.Errorf("after the redrive: %d %s %s", code, out, errs)
	}
}

// TestJobsThatWaitAndGo runs one job at its time, and another until its time to live is over.
func TestJobsThatWaitAndGo(t *testing.T) {
	s := up(t, t.TempDir(), "CALOTYPE_IMAGE__EXPIRE_EVERY=100ms", "CALOTYPE_IMAGE__SCHEDULE_EVERY=100ms")
	id := images(t, s.base, 1)[0]
	at := time.Now().Add(3 * time.Second)
	waits := &imagev1.Job{}
	post(t, s.base+"/v1/jobs", &imagev1.CreateJobRequest{ImageId: id, Preset: "thumb", Options: &imagev1.JobOptions{NotBefore: timestamppb.New(at)}}, waits, http.StatusCreated)
	if waits.State != imagev1.Job_SCHEDULED {
		t.Errorf("it is %v", waits.State)
	}
	goes := &imagev1.Job{}
	post(t, s.base+"/v1/jobs", &imagev1.CreateJobRequest{ImageId: id, Variants: []string{"gone:w_20"}, Options: &imagev1.JobOptions{Ttl: durationpb.New(time.Second)}}, goes, http.StatusCreated)
	variant := s.base + "/v1/images/" + id + "/variants/gone"
	eventually(t, "its result is there", func() error {
		if a := get(t, variant); a.status != http.StatusOK {
			return fmt.Errorf("%d %s", a.status, a.body)
		}
		return nil
	})
	eventually(t, "it is gone with its result", func() error {
		job, result := get(t, s.base+"/v1/jobs/"+goes.Id), get(t, variant)
		if job.status != http.StatusNotFound || result.status != http.StatusNotFound {
			return fmt.Errorf("%d %s, %d", job.status, job.body, result.status)
		}
		return nil
	})
	job := ended(t, s.base, waits.Id)
	if job.State != imagev1.Job_SUCCEEDED || job.StartTime.AsTime().Before(at) {
		t.Errorf("it was to wait until %v: %v", at, job)
	}
}

// TestOneKeyOneJob posts the same a hundred times at once.
func TestOneKeyOneJob(t *testing.T) {
	s := up(t, t.TempDir())
	id := images(t, s.base, 1)[0]
	ask := func(key, body string) (answer, error) {
		return send(within(t), http.MethodPost, s.base+"/v1/jobs", http.Header{"Idempotency-Key": {key}}, strings.NewReader(body))
	}
	body := fmt.Sprintf(`{"image_id":%q,"preset":"thumb","options":{"tenant":"t"}}`, id)
	var (
		g    errgroup.Group
		mu   sync.Mutex
		made = map[string]int{}
	)
	for range 100 {
		g.Go(func() error {
			a, err := ask("once", body)
			if err != nil {
				return err
			}
			one := &imagev1.Job{}
			if err := protojson.Unmarshal(a.body, one); err != nil || a.status != http.StatusCreated {
				return fmt.Errorf("%d %s", a.status, a.body)
			}
			mu.Lock()
			defer mu.Unlock()
			made[one.Id]++
			return nil
		})
	}
	if err := g.Wait(); err != nil || len(made) != 1 {
		t.Fatalf("they got %v, %v", made, err)
	}
	all := &imagev1.ListJobsResponse{}
	if read(t, get(t, s.base+"/v1/jobs"), http.StatusOK, all); len(all.Jobs) != 1 {
		t.Errorf("there are %v", all.Jobs)
	}
	for what, other := range map[string]string{"another preset": strings.Replace(body, "thumb", "web", 1), "another tenant": strings.Replace(body, `"t"`, `"u"`, 1)} {
		a, err := ask("once", other)
		if err != nil || a.status != http.StatusUnprocessableEntity || a.problem().Reason != "IDEMPOTENCY_KEY_REUSED" {
			t.Errorf("%s: %v, %d %s", what, err, a.status, a.body)
		}
	}
	if job := ended(t, s.base, all.Jobs[0].Id); job.State != imagev1.Job_SUCCEEDED {
		t.Errorf("it ended %v", job)
	}
}

// TestBadOptionsOverGRPC looks at what is told of each, and where.
func TestBadOptionsOverGRPC(t *testing.T) {
	s := up(t, t.TempDir())
	conn, err := grpc.NewClient(s.grpc["image"], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	id := images(t, s.base, 1)[0]
	jobs, batches := imagev1.NewJobsClient(conn), imagev1.NewBatchesClient(conn)
	bad := &imagev1.JobOptions{Tenant: "a b", Priority: 9, MaxAttempts: 101, WebhookUrl: "ftp://example.com", NotBefore: timestamppb.New(time.Now().AddDate(2, 0, 0))}
	all := []string{"options.tenant", "options.priority", "options.max_attempts", "options.not_before", "options.webhook_url"}
	for what, c := range map[string]struct {
		call   func() error
		code   codes.Code
		reason string
		paths  []string
	}{
		"a job": {func() error {
			_, err := jobs.Create(within(t), &imagev1.CreateJobRequest{ImageId: id, Preset: "thumb", Options: bad})
			return err
		}, codes.InvalidArgument, "BAD_OPTIONS", all},
		"a batch": {func() error {
			_, err := batches.Create(within(t), &imagev1.CreateBatchRequest{ImageIds: []string{id}, Preset: "thumb", Options: bad})
			return err
		}, codes.InvalidArgument, "BAD_OPTIONS", all},
		"a length that is none": {func() error {
			_, err := jobs.Create(within(t), &imagev1.CreateJobRequest{ImageId: id, Preset: "thumb", Options: &imagev1.JobOptions{Ttl: durationpb.New(-1)}})
			return err
		}, codes.InvalidArgument, "BAD_OPTIONS", []string{"options.ttl"}},
		"images that are not there": {func() error {
			_, err := batches.Create(within(t), &imagev1.CreateBatchRequest{ImageIds: []string{"x", id, "y"}, Preset: "thumb"})
			return err
		}, codes.NotFound, "IMAGE_NOT_FOUND", []string{"image_ids[0]", "image_ids[2]"}},
		"a thousand that are not": {func() error {
			var none []string
			for i := range 1000 {
				none = append(none, fmt.Sprint("img_", i))
			}
			_, err := batches.Create(within(t), &imagev1.CreateBatchRequest{ImageIds: none, Preset: "thumb"})
			return err
		}, codes.NotFound, "IMAGE_NOT_FOUND", nil},
		"a redrive of what runs": {func() error {
			_, err := jobs.Redrive(within(t), &imagev1.RedriveJobsRequest{State: imagev1.Job_RUNNING})
			return err
		}, codes.InvalidArgument, "BAD_STATE", []string{"state"}},
		"a redrive of a state of tomorrow": {func() error {
			_, err := jobs.Redrive(within(t), &imagev1.RedriveJobsRequest{State: 99})
			return err
		}, codes.InvalidArgument, "BAD_STATE", []string{"state"}},
	} {
		st := status.Convert(c.call())
		var reason string
		var paths []string
		for _, d := range st.Details() {
			switch d := d.(type) {
			case *errdetails.ErrorInfo:
				reason = d.GetReason()
			case *errdetails.BadRequest:
				for _, v := range d.GetFieldViolations() {
					paths = append(paths, v.GetField())
				}
			}
		}
		if st.Code() != c.code || reason != c.reason || c.paths != nil && !slices.Equal(paths, c.paths) || c.paths == nil && len(paths) != 1000 {
			t.Errorf("%s: %v, %s at %.500q", what, st, reason, paths)
		}
	}
}

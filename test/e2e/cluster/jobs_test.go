//go:build cluster

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/receiver"
)

// TestBatch begins many jobs with one call and follows them to their ends.
func TestBatch(t *testing.T) {
	c := front(t)
	const many = 250
	ids := make([]string, many)
	data := picture(t, "gray.jpg")
	ctx := within(t, longer)
	var g errgroup.Group
	g.SetLimit(8)
	began := time.Now()
	for i := range ids {
		g.Go(func() error {
			a, err := c.Upload(ctx, "", nil, data)
			if err != nil {
				return err
			}
			made, err := a.Created()
			ids[i] = made.GetImage().GetId()
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d uploads took %v", many, time.Since(began).Round(time.Millisecond))
	body, err := protojson.Marshal(&imagev1.CreateBatchRequest{ImageIds: ids, Variants: []string{"tiny:w_16"}, Options: &imagev1.JobOptions{Priority: imagev1.Job_BULK}})
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	a, err := c.Send(ctx, http.MethodPost, "/v1/batches", http.Header{"Content-Type": {"application/json"}}, strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	b := read(t, a, http.StatusCreated, &imagev1.Batch{})
	t.Logf("the batch was acknowledged after %v", time.Since(began).Round(time.Millisecond))
	events, err := c.Events(ctx, "/v1/batches/"+b.Id+"/events", "", nil)
	if err != nil || len(events) == 0 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if err := protojson.Unmarshal([]byte(events[len(events)-1].Data), b); err != nil {
		t.Fatal(err)
	}
	if !b.Done || b.Total != many || len(b.Counts) != 1 || b.Counts[0].State != imagev1.Job_SUCCEEDED || b.Counts[0].Count != many {
		t.Errorf("it ended as %v", b)
	}
	t.Logf("all had ended after %v", time.Since(began).Round(time.Millisecond))
}

// TestWebhooks has jobs' ends told to a receiver on the host.
func TestWebhooks(t *testing.T) {
	c := front(t)
	hook, err := receiver.New(secret(t, "webhook-secrets"))
	if err != nil {
		t.Fatal(err)
	}
	host, err := project().Host(t.Context(), "services")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", env("E2E_WEBHOOK_LISTEN", net.JoinHostPort(host, "0")))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: hook}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })

	data := picture(t, "photo.jpg")
	var jobs []string
	for range 3 {
		jobs = append(jobs, upload(t, c, "", url.Values{"preset": {"thumb"}, "webhook_url": {"http://" + l.Addr().String() + "/"}}, data).Job.Id)
	}
	for _, job := range jobs {
		ended(t, c, job)
		eventually(t, "the webhook of "+job, func(context.Context) error {
			if n := hook.Of(job); n != 1 {
				return fmt.Errorf("%d came; %v", n, hook.Wrong())
			}
			return nil
		})
	}
	if wrong := hook.Wrong(); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// node is what /v1/nodes tells of one.
type node struct{ Service, ID, Address, State string }

func nodes(ctx context.Context, t *testing.T) (map[string][]node, error) {
	t.Helper()
	a, err := front(t).Get(ctx, "/v1/nodes")
	if err != nil {
		return nil, err
	}
	var found struct{ Nodes []node }
	if err := json.Unmarshal(a.Body, &found); err != nil {
		return nil, fmt.Errorf("%v", a)
	}
	all := map[string][]node{}
	for _, n := range found.Nodes {
		all[n.Service] = append(all[n.Service], n)
	}
	return all, nil
}

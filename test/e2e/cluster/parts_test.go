//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
)

// services are the compose services of Calotype's own, by their names in the registry.
var services = map[string]string{
	"calotype-gateway": "gateway", "calotype-greeter": "greeter", "calotype-image": "image-manager",
	"calotype-image-worker": "image-worker", "calotype-storage": "storage",
}

// TestEveryNodeAnswers compares what the registry knows, and what answers, with the containers that there are.
func TestEveryNodeAnswers(t *testing.T) {
	for name, service := range services {
		containers, err := project().Of(t.Context(), service)
		if err != nil || len(containers) < 2 {
			t.Fatalf("%s: %d containers, %v", service, len(containers), err)
		}
		eventually(t, service+" is registered and answers", func(ctx context.Context) error {
			all, err := nodes(ctx, t)
			if err != nil {
				return err
			}
			for _, n := range all[name] {
				if n.State != "ready" {
					return fmt.Errorf("%v", n)
				}
			}
			if len(all[name]) != len(containers) {
				return fmt.Errorf("%d nodes of %d containers", len(all[name]), len(containers))
			}
			return nil
		})
	}
}

// TestOnlyLoopbackIsPublished looks at every port that is to be had from outside.
func TestOnlyLoopbackIsPublished(t *testing.T) {
	all, err := project().Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	published := 0
	for _, c := range all {
		for port, at := range c.Ports {
			for _, p := range at {
				published++
				if p.HostIP != "127.0.0.1" && p.HostIP != "::1" {
					t.Errorf("%s publishes %s at %s:%s", c.Name, port, p.HostIP, p.HostPort)
				}
				if services["calotype-"+c.Service] != "" || c.Service == "postgres" || strings.HasPrefix(c.Service, "ceph") {
					t.Errorf("%s publishes %s at all", c.Name, port)
				}
			}
		}
		if !c.OneOff && !c.Well() {
			t.Errorf("%s is %s %s", c.Name, c.Status, c.Health)
		}
	}
	if published == 0 {
		t.Error("nothing is published")
	}
}

// TestScaledWorkerGetsWork starts one more worker beside those that there are, and takes it away again. It works within 5 s of its start.
func TestScaledWorkerGetsWork(t *testing.T) {
	c := front(t)
	before, err := project().Of(t.Context(), "image-worker")
	if err != nil {
		t.Fatal(err)
	}
	known, err := nodes(t.Context(), t)
	if err != nil {
		t.Fatal(err)
	}
	old := map[string]bool{}
	for _, n := range known["calotype-image-worker"] {
		old[n.ID] = true
	}
	image := upload(t, c, "", nil, picture(t, "gray.jpg")).Image.Id
	scale(t, len(before)+1)
	t.Cleanup(func() { scale(t, len(before)) })
	started := startOf(t, len(before)+1)

	var job *imagev1.Job
	err = caller.Until(within(t, patience), 20*time.Millisecond, func(ctx context.Context) error {
		job, err = quickJob(ctx, c, image)
		if err != nil {
			return err
		}
		if job.Node == "" || old[job.Node] {
			return fmt.Errorf("%s was done on %q", job.Id, job.Node)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	took := job.StartTime.AsTime().Sub(started)
	t.Logf("the new worker began its first job %v after its start", took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("that is more than 5 s")
	}
}

// quickJob does one and waits for its end.
func quickJob(ctx context.Context, c *caller.Caller, image string) (*imagev1.Job, error) {
	a, err := c.Send(ctx, http.MethodPost, "/v1/jobs", http.Header{"Content-Type": {"application/json"}},
		strings.NewReader(fmt.Sprintf(`{"image_id": %q, "variants": ["a:w_16"]}`, image)))
	if err != nil {
		return nil, err
	}
	job := &imagev1.Job{}
	if err := protojson.Unmarshal(a.Body, job); err != nil {
		return nil, fmt.Errorf("%v", a)
	}
	if _, err := c.Events(ctx, "/v1/jobs/"+job.Id+"/events", "", nil); err != nil {
		return nil, err
	}
	return job, c.Fetch(ctx, "/v1/jobs/"+job.Id, job)
}

func scale(t *testing.T, n int) {
	t.Helper()
	command := strings.Fields(env("E2E_COMPOSE", "docker compose"))
	args := append(command[1:], "-p", project().Name, "up", "-d", "--no-deps", "--no-recreate", "--no-build", "--scale", fmt.Sprintf("image-worker=%d", n), "image-worker")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // also when the test has ended
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], args...)
	cmd.Dir = "../../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("docker compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// startOf is when the newest worker's container was started.
func startOf(t *testing.T, want int) time.Time {
	t.Helper()
	all, err := project().Of(t.Context(), "image-worker")
	if err != nil || len(all) != want {
		t.Fatalf("%d workers, not %d: %v", len(all), want, err)
	}
	var newest time.Time
	for _, c := range all {
		if c.Started.After(newest) {
			newest = c.Started
		}
	}
	return newest
}

//go:build cluster

// Package cluster looks at a running cluster as its users do: from outside, through Nginx, over REST, gRPC and server-sent events. Where
// the parts are concerned, it asks docker. `make e2e` runs it; E2E_* say where the cluster is, and default to what `make up` starts.
package cluster

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
	"calotype/test/compose"
)

// patience bounds every wait: what has not come true by then does not.
const patience = 90 * time.Second

func env(name, otherwise string) string { return cmp.Or(os.Getenv(name), otherwise) }

// project is what docker knows the cluster by.
func project() compose.Project {
	return compose.Project{Name: env("E2E_PROJECT", "calotype"), Docker: env("E2E_DOCKER", "docker")}
}

// front is Nginx.
func front(t *testing.T) *caller.Caller {
	t.Helper()
	c := caller.New(env("E2E_URL", "http://127.0.0.1:8080"))
	t.Cleanup(c.HTTP.CloseIdleConnections)
	return c
}

// conn is a plain gRPC connection to Nginx.
func conn(t *testing.T) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient(env("E2E_GRPC", "127.0.0.1:8081"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually asks again until there is no error.
func eventually(t *testing.T, what string, ask func(context.Context) error) {
	t.Helper()
	if err := caller.Until(within(t, patience), 100*time.Millisecond, ask); err != nil {
		t.Fatalf("%s: not within %v: %v", what, patience, err)
	}
}

func picture(t *testing.T, name string) []byte {
	t.Helper()
	return content(t, filepath.Join("..", "..", "pictures", name))
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read is the answer's message; any other status ends the test.
func read[M proto.Message](t *testing.T, a caller.Answer, status int, into M) M {
	t.Helper()
	if a.Status != status {
		t.Fatalf("answered %v, not %d", a, status)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(a.Body, into); err != nil {
		t.Fatalf("%v in %s", err, a.Body)
	}
	return into
}

// get asks for a path and expects an answer, of whatever status.
func get(t *testing.T, c *caller.Caller, path string) caller.Answer {
	t.Helper()
	a, err := c.Get(within(t, patience), path)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ended waits for a job's end.
func ended(t *testing.T, c *caller.Caller, id string) *imagev1.Job {
	t.Helper()
	var job *imagev1.Job
	eventually(t, id+" ends", func(ctx context.Context) error {
		job = &imagev1.Job{}
		if err := c.Fetch(ctx, "/v1/jobs/"+id, job); err != nil {
			return err
		}
		switch job.State {
		case imagev1.Job_SUCCEEDED, imagev1.Job_FAILED, imagev1.Job_CANCELLED, imagev1.Job_DEAD:
			return nil
		}
		return errNotYet(job.State.String())
	})
	return job
}

type errNotYet string

func (e errNotYet) Error() string { return "it is " + string(e) }

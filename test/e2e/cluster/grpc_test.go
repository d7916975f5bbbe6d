//go:build cluster

package cluster

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	greeterv1 "calotype/proto/greeter/v1"
	imagev1 "calotype/proto/image/v1"
)

// TestGreeters asks over gRPC and REST until each of the greeters has answered.
func TestGreeters(t *testing.T) {
	all, err := project().Of(t.Context(), "greeter")
	if err != nil {
		t.Fatal(err)
	}
	greeter, c := greeterv1.NewGreeterClient(conn(t)), front(t)
	for what, ask := range map[string]func(context.Context) (*greeterv1.HelloResponse, error){
		"gRPC": func(ctx context.Context) (*greeterv1.HelloResponse, error) {
			return greeter.Hello(ctx, &greeterv1.HelloRequest{Name: "World"})
		},
		"REST": func(ctx context.Context) (*greeterv1.HelloResponse, error) {
			m := &greeterv1.HelloResponse{}
			return m, c.Fetch(ctx, "/v1/greeter/hello?name=World", m)
		},
	} {
		seen := map[string]bool{}
		eventually(t, what+": each of them answers", func(ctx context.Context) error {
			m, err := ask(ctx)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			seen[m.GetNode().GetId()] = true
			if len(seen) < len(all) || len(all) < 2 {
				return errNotYet("only one")
			}
			return nil
		})
	}
}

// TestGreetingsStream reads a stream from the server.
func TestGreetingsStream(t *testing.T) {
	stream, err := greeterv1.NewGreeterClient(conn(t)).Greetings(within(t, patience), &greeterv1.GreetingsRequest{Name: "World", Count: 5, IntervalMs: 20})
	if err != nil {
		t.Fatal(err)
	}
	for n := int32(1); ; n++ {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) && n == 6 {
			return
		}
		if err != nil || m.GetNumber() != n {
			t.Fatalf("greeting %d: %v, %v", n, m, err)
		}
	}
}

// TestStatuses looks at what a gRPC client is told of what cannot be.
func TestStatuses(t *testing.T) {
	c := conn(t)
	jobs := imagev1.NewJobsClient(c)
	for what, r := range map[string]struct {
		call   func(context.Context) error
		code   codes.Code
		reason string
	}{
		"no such job": {func(ctx context.Context) error {
			_, err := jobs.Get(ctx, &imagev1.GetJobRequest{Id: "job_none"})
			return err
		}, codes.NotFound, "JOB_NOT_FOUND"},
		"no such stream": {func(ctx context.Context) error {
			s, err := jobs.Watch(ctx, &imagev1.WatchJobRequest{Id: "job_none"})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		}, codes.NotFound, "JOB_NOT_FOUND"},
		"bad options": {func(ctx context.Context) error {
			_, err := jobs.Create(ctx, &imagev1.CreateJobRequest{ImageId: "img_none", Preset: "thumb", Options: &imagev1.JobOptions{Tenant: "a b"}})
			return err
		}, codes.InvalidArgument, "BAD_OPTIONS"},
		"no such service": {func(ctx context.Context) error {
			return c.Invoke(ctx, "/nobody.v1.Nothing/Do", &imagev1.GetJobRequest{}, &imagev1.Job{})
		}, codes.Unimplemented, ""},
	} {
		st := status.Convert(r.call(within(t, patience)))
		reason := ""
		for _, d := range st.Details() {
			if info, ok := d.(*errdetails.ErrorInfo); ok {
				reason = info.GetReason()
			}
		}
		if st.Code() != r.code || r.reason != "" && reason != r.reason {
			t.Errorf("%s: %v, reason %q", what, st, reason)
		}
	}
}

// TestWatch follows a job from before it begins to its end.
func TestWatch(t *testing.T) {
	id := upload(t, front(t), "", nil, picture(t, "photo.jpg")).Image.Id
	jobs := imagev1.NewJobsClient(conn(t))
	job, err := jobs.Create(within(t, patience), &imagev1.CreateJobRequest{ImageId: id, Preset: "thumb",
		Options: &imagev1.JobOptions{NotBefore: timestamppb.New(time.Now().Add(2 * time.Second))}})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := jobs.Watch(within(t, patience), &imagev1.WatchJobRequest{Id: job.Id})
	if err != nil {
		t.Fatal(err)
	}
	var states []imagev1.Job_State
	for {
		e, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.State == imagev1.Job_RUNNING {
			continue // work that is done at once is not told to have begun
		}
		if n := len(states); n == 0 || states[n-1] != e.State {
			states = append(states, e.State)
		}
	}
	want := []imagev1.Job_State{imagev1.Job_SCHEDULED, imagev1.Job_QUEUED, imagev1.Job_SUCCEEDED}
	if !slices.Equal(states, want) {
		t.Errorf("it went through %v", states)
	}
}

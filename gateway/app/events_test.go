package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

// history is a job's life in four events.
var history = []imagev1.Job_State{imagev1.Job_QUEUED, imagev1.Job_RUNNING, imagev1.Job_RUNNING, imagev1.Job_SUCCEEDED}

// tell sends the events after a sequence, up to and with the one numbered last.
func tell(in *imagev1.WatchJobRequest, last int, send func(*imagev1.JobEvent) error) error {
	for i := int(in.GetAfterSequence()); i < last; i++ {
		if err := send(&imagev1.JobEvent{JobId: in.GetId(), Sequence: int64(i + 1), State: history[i], Attempt: 1}); err != nil {
			return err
		}
	}
	return nil
}

type event struct {
	id, name string
	data     map[string]any
}

// parse reads events as a browser does.
func parse(t *testing.T, text string) []event {
	t.Helper()
	var all []event
	for block := range strings.SplitSeq(text, "\n\n") {
		e := event{}
		for line := range strings.SplitSeq(block, "\n") {
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				if err := json.Unmarshal([]byte(value), &e.data); err != nil {
					t.Fatalf("%q is no JSON: %v", value, err)
				}
			}
		}
		if e.name != "" {
			all = append(all, e)
		}
	}
	return all
}

func TestEventsUntilTheLast(t *testing.T) {
	s := newStage(t)
	s.images.onWatch = func(_ context.Context, in *imagev1.WatchJobRequest, send func(*imagev1.JobEvent) error) error {
		return tell(in, len(history), send)
	}
	for after, want := range []string{"1 queued 2 running 3 running 4 succeeded", "2 running 3 running 4 succeeded", "3 running 4 succeeded", "4 succeeded"} {
		rsp, body := s.get("/v1/jobs/job_1/events", "Last-Event-ID", fmt.Sprint(after))
		var got []string
		for _, e := range parse(t, body) {
			got = append(got, e.id, e.name)
			if e.data["job_id"] != "job_1" || !strings.EqualFold(fmt.Sprint(e.data["state"]), e.name) || e.data["sequence"] != e.id {
				t.Errorf("event %s has the data %v", e.id, e.data)
			}
		}
		if rsp.StatusCode != 200 || rsp.Header.Get("Content-Type") != "text/event-stream" || rsp.Header.Get("Cache-Control") != "no-store" || strings.Join(got, " ") != want {
			t.Errorf("after %d: %d %v %s", after, rsp.StatusCode, rsp.Header, body)
		}
	}
	if rsp, body := s.get("/v1/jobs/job_1/events", "Last-Event-ID", "4"); rsp.StatusCode != 204 || body != "" {
		t.Errorf("after the last: %d %q", rsp.StatusCode, body)
	}
	for _, id := range []string{"x", "-1", "1.5"} {
		rsp, body := s.get("/v1/jobs/job_1/events", "Last-Event-ID", id)
		s.wantProblem(rsp, body, 400, "INVALID")
	}
}

// A node that dies in the middle is replaced: the client sees every event once, in order.
func TestEventsOutliveANode(t *testing.T) {
	s := newStage(t)
	var watches atomic.Int64
	s.images.onWatch = func(_ context.Context, in *imagev1.WatchJobRequest, send func(*imagev1.JobEvent) error) error {
		n := int(watches.Add(1))
		if err := tell(in, min(n, len(history)), send); err != nil || n >= len(history) {
			return err
		}
		return fault.New(fault.Unavailable, "LEAVING", "this node is leaving")
	}
	_, body := s.get("/v1/jobs/job_1/events")
	var got []string
	for _, e := range parse(t, body) {
		got = append(got, e.id)
	}
	if strings.Join(got, " ") != "1 2 3 4" {
		t.Errorf("got %v after %d watches", got, watches.Load())
	}
}

func TestSilentStreamsSayThatTheyLiveAndEndWithTheClient(t *testing.T) {
	s := newStage(t, func(set *setup) { set.gateway.Timeouts.Heartbeat = 20 * time.Millisecond })
	ended := make(chan struct{})
	s.images.onWatch = func(ctx context.Context, in *imagev1.WatchJobRequest, send func(*imagev1.JobEvent) error) error {
		if err := tell(in, 1, send); err != nil {
			return err
		}
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	rsp, err := http.DefaultTransport.RoundTrip(s.request("GET", "/v1/jobs/job_1/events", nil).WithContext(ctx))
	s.must(err)
	defer rsp.Body.Close()
	lines := bufio.NewScanner(rsp.Body)
	beats := 0
	for beats < 3 && lines.Scan() {
		if strings.HasPrefix(lines.Text(), ": alive") {
			beats++
		}
	}
	if beats < 3 {
		t.Errorf("%d heartbeats: %v", beats, lines.Err())
	}
	leave()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the watch outlives the client")
	}
}

// Leaving waits for what is running, and ends what would never end.
func TestDrain(t *testing.T) {
	s := newStage(t)
	s.images.keep("img_d", "", []byte("x"))
	watching, working, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.images.onWatch = func(ctx context.Context, in *imagev1.WatchJobRequest, send func(*imagev1.JobEvent) error) error {
		err := tell(in, 1, send)
		close(watching)
		<-ctx.Done()
		return err
	}
	s.worker.on = func(context.Context, *imagev1.TransformRequest, imagev1.Transformer_TransformStream) error {
		close(working)
		<-finish
		return fault.New(fault.Invalid, "BROKEN_IMAGE", "as good an answer as any")
	}
	type result struct {
		status int
		err    error
	}
	answers := map[string]chan result{"/v1/jobs/job_1/events": make(chan result, 1), "/i/w_1/img_d.png": make(chan result, 1)}
	for path, got := range answers {
		go func() {
			rsp, err := http.DefaultTransport.RoundTrip(s.request("GET", path, nil))
			if err != nil {
				got <- result{0, err}
				return
			}
			_, err = io.Copy(io.Discard, rsp.Body)
			rsp.Body.Close()
			got <- result{rsp.StatusCode, err}
		}()
	}
	<-watching
	<-working
	left := make(chan struct{})
	go func() { s.leave(); close(left) }()
	if a := <-answers["/v1/jobs/job_1/events"]; a.status != 200 || a.err != nil {
		t.Errorf("the event stream ended with %d, %v", a.status, a.err)
	}
	select {
	case <-left:
		t.Error("the gateway left while a request was running")
	default:
	}
	close(finish)
	if a := <-answers["/i/w_1/img_d.png"]; a.status != 422 || a.err != nil {
		t.Errorf("the running request was answered %d, %v", a.status, a.err)
	}
	select {
	case <-left:
	case <-time.After(15 * time.Second):
		t.Fatal("the gateway does not leave")
	}
}

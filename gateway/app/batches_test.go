package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go-micro.dev/v4/server"
	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/fault"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	imageapp "calotype/services/image/app"
)

// batches is a double of the image service's batches.
type batches struct {
	imagev1.BatchesHandler
	watch func(ctx context.Context, n int, send func(*imagev1.Batch) error) error // n counts the watches from 1
	count *atomic.Int64
}

func (b batches) Watch(_ context.Context, in *imagev1.WatchBatchRequest, stream imagev1.Batches_WatchStream) error {
	if in.GetId() != "bat_1" {
		return fault.New(fault.NotFound, "BATCH_NOT_FOUND", "there is no batch %q", in.GetId())
	}
	return b.watch(stream.Context(), int(b.count.Add(1)), stream.Send)
}

// follows is a stage whose image service has nothing but a batch to watch.
func follows(t *testing.T, watch func(ctx context.Context, n int, send func(*imagev1.Batch) error) error) *stage {
	return newStage(t, func(set *setup) {
		set.images = func(s *stage) {
			s.serve(proto.Image, *set, func(srv server.Server) error {
				return imagev1.RegisterBatchesHandler(srv, batches{watch: watch, count: new(atomic.Int64)})
			})
		}
	})
}

func standing(percent int) *imagev1.Batch {
	return &imagev1.Batch{Id: "bat_1", Total: 4, Percent: int32(percent), Done: percent == 100, CreateTime: timestamppb.New(born),
		UpdateTime: timestamppb.New(born.Add(time.Duration(percent) * time.Second))}
}

func TestEventsOfABatch(t *testing.T) {
	s := follows(t, func(_ context.Context, _ int, send func(*imagev1.Batch) error) error {
		for _, p := range []int{0, 50, 100} {
			if err := send(standing(p)); err != nil {
				return err
			}
		}
		return nil
	})
	rsp, body := s.get("/v1/batches/bat_1/events")
	var got []string
	events := parse(t, body)
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s %v %v", e.name, e.data["percent"], e.data["done"]))
	}
	if rsp.StatusCode != 200 || rsp.Header.Get("Content-Type") != "text/event-stream" || strings.Join(got, ", ") != "batch 0 false, batch 50 false, batch 100 true" {
		t.Fatalf("%d %v %s", rsp.StatusCode, rsp.Header, body)
	}
	// A browser comes back with the last id, until it is told to stay away.
	done := newStageOf(s, func(send func(*imagev1.Batch) error) error { return send(standing(100)) })
	if rsp, body := done.get("/v1/batches/bat_1/events", "Last-Event-ID", events[2].id); rsp.StatusCode != 204 || body != "" {
		t.Errorf("after the last: %d %q", rsp.StatusCode, body)
	}
	if rsp, body := done.get("/v1/batches/bat_1/events", "Last-Event-ID", events[1].id); rsp.StatusCode != 200 || len(parse(t, body)) != 1 {
		t.Errorf("before the last: %d %q", rsp.StatusCode, body)
	}
	rsp, body = s.get("/v1/batches/bat_2/events")
	s.wantProblem(rsp, body, 404, "BATCH_NOT_FOUND")
	rsp, body = s.get("/v1/batches/bat_1/events", "Last-Event-ID", "yesterday")
	s.wantProblem(rsp, body, 400, "INVALID")
}

func newStageOf(s *stage, watch func(send func(*imagev1.Batch) error) error) *stage {
	return follows(s.t, func(_ context.Context, _ int, send func(*imagev1.Batch) error) error { return watch(send) })
}

// A node that leaves in the middle is replaced, and a watcher that leaves ends the watch behind it.
func TestEventsOfABatchOutliveANode(t *testing.T) {
	ended := make(chan struct{})
	s := follows(t, func(ctx context.Context, n int, send func(*imagev1.Batch) error) error {
		if n < 3 {
			return fault.New(fault.Unavailable, "DRAINING", "this node is leaving")
		}
		if n == 4 {
			defer close(ended)
			_ = send(standing(1))
			<-ctx.Done()
			return ctx.Err()
		}
		return send(standing(100))
	})
	if _, body := s.get("/v1/batches/bat_1/events"); len(parse(t, body)) != 1 {
		t.Errorf("got %s", body)
	}
	ctx, leave := context.WithCancel(t.Context())
	rsp, err := http.DefaultTransport.RoundTrip(s.request("GET", "/v1/batches/bat_1/events", nil).WithContext(ctx))
	s.must(err)
	defer rsp.Body.Close()
	leave()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the watch outlives the client")
	}
}

// managed is a stage with the real image service, and a worker that looks at pictures and takes no jobs, or none at all.
func managed(t *testing.T, change func(*imageapp.Config)) *stage {
	t.Helper()
	return newStage(t, func(set *setup) {
		set.images = func(s *stage) {
			cfg := imageapp.DefaultConfig()
			cfg.Config = set.gateway.Config
			cfg.Image.Database, cfg.Queue.Path = filepath.Join(t.TempDir(), "image.db"), filepath.Join(t.TempDir(), "queue.db")
			if change != nil {
				change(&cfg)
			}
			manager, err := imageapp.New(cfg, s.host)
			s.must(err)
			s.run(manager)
			s.serve(proto.Worker, *set, func(srv server.Server) error { return imagev1.RegisterTransformerHandler(srv, looks{s.worker}) })
		}
	})
}

// looks plays a node that takes everything for one picture.
type looks struct{ *worker }

func (looks) Inspect(_ context.Context, _ *imagev1.InspectRequest, out *imagev1.InspectResponse) error {
	out.Format, out.ContentType, out.Width, out.Height, out.Pages, out.Orientation, out.Size = "jpeg", "image/jpeg", 40, 30, 1, 1, 9
	return nil
}

// image uploads some bytes and gives the image's id.
func (s *stage) image(data string) string {
	s.t.Helper()
	rsp, body := s.post("/v1/images", data)
	var up uploaded
	if s.must(json.Unmarshal([]byte(body), &up)); rsp.StatusCode != 201 {
		s.t.Fatalf("uploading: %d %s", rsp.StatusCode, body)
	}
	return up.Image.ID
}

func TestBatchesOverREST(t *testing.T) {
	s := managed(t, nil)
	a, b := s.image("a"), s.image("b")
	ask := fmt.Sprintf(`{"image_ids":[%q,%q],"preset":"thumb","options":{"tenant":"shop","priority":"BULK"}}`, a, b)
	rsp, body := s.post("/v1/batches", ask, "Idempotency-Key", "k")
	var batch struct {
		ID             string
		Total, Percent int
		Done           bool
		Counts         []struct {
			State string
			Count int
		}
	}
	s.must(json.Unmarshal([]byte(body), &batch))
	if rsp.StatusCode != 201 || rsp.Header.Get("Location") != "/v1/batches/"+batch.ID || batch.Total != 2 || batch.Done || fmt.Sprint(batch.Counts) != "[{QUEUED 2}]" {
		t.Fatalf("creating: %d %v %s", rsp.StatusCode, rsp.Header, body)
	}
	if _, again := s.post("/v1/batches", ask, "Idempotency-Key", "k"); !strings.Contains(again, batch.ID) {
		t.Errorf("the same again gave %s", again)
	}
	rsp, body = s.post("/v1/batches", strings.Replace(ask, "BULK", "NORMAL", 1), "Idempotency-Key", "k")
	s.wantProblem(rsp, body, 422, "IDEMPOTENCY_KEY_REUSED")
	if rsp, body := s.get("/v1/jobs?batch_id=" + batch.ID + "&tenant=shop&state=QUEUED"); rsp.StatusCode != 200 || strings.Count(body, `"batch_id":"bat_`) != 2 {
		t.Errorf("its jobs are %d %s", rsp.StatusCode, body)
	}
	rsp, body = s.post("/v1/batches/"+batch.ID+":cancel", "")
	s.must(json.Unmarshal([]byte(body), &batch))
	if rsp.StatusCode != 200 || !batch.Done || batch.Percent != 100 || fmt.Sprint(batch.Counts) != "[{CANCELLED 2}]" {
		t.Errorf("cancelling: %d %s", rsp.StatusCode, body)
	}
	if rsp, body := s.get("/v1/batches/" + batch.ID); rsp.StatusCode != 200 || !strings.Contains(body, `"done":true`) {
		t.Errorf("getting: %d %s", rsp.StatusCode, body)
	}
	if _, body := s.get("/v1/batches/" + batch.ID + "/events"); len(parse(t, body)) != 1 {
		t.Errorf("the events of what is done are %s", body)
	}
	rsp, body = s.post("/v1/jobs:redrive", `{"state":"CANCELLED","tenant":"shop","limit":1}`)
	if rsp.StatusCode != 200 || !strings.Contains(body, `"redriven":1`) || !strings.Contains(body, `"remaining":true`) {
		t.Errorf("redriving: %d %s", rsp.StatusCode, body)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		reason, violation  string
	}{
		{"GET", "/v1/batches/bat_none", "", 404, "BATCH_NOT_FOUND", ""},
		{"POST", "/v1/batches/bat_none:cancel", "", 404, "BATCH_NOT_FOUND", ""},
		{"GET", "/v1/batches", "", 405, "METHOD_NOT_ALLOWED", ""},
		{"POST", "/v1/batches", `{"image_ids":["img_x","` + a + `","img_y"],"preset":"thumb"}`, 404, "IMAGE_NOT_FOUND", "image_ids[0] image_ids[2]"},
		{"POST", "/v1/batches", `{"image_ids":["` + a + `","` + a + `"],"preset":"thumb"}`, 400, "BAD_BATCH", "image_ids[1]"},
		{"POST", "/v1/batches", `{"preset":"thumb"}`, 400, "BAD_BATCH", "image_ids"},
		{"POST", "/v1/batches", `{"image_ids":["` + a + `"],"preset":"thumb","options":{"tennant":"x"}}`, 400, "UNKNOWN_FIELD", "options.tennant"},
		{"POST", "/v1/jobs:redrive", `{"state":"RUNNING"}`, 400, "BAD_STATE", "state"},
		{"POST", "/v1/jobs:redrive", `{"limit":1001}`, 400, "BAD_LIMIT", "limit"},
		{"POST", "/v1/jobs:redrive", `{"stat":"DEAD"}`, 400, "UNKNOWN_FIELD", "stat"},
	} {
		rsp, body := s.do(s.request(c.method, c.path, strings.NewReader(c.body)))
		s.wantViolations(s.wantProblem(rsp, body, c.status, c.reason), c.violation)
	}
}

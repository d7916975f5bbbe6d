package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"calotype/gateway/app"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

// planned has the managers plan every address as the same picture, under a key that tells the image, and counts.
func (s *stage) planned() *atomic.Int64 {
	var n atomic.Int64
	s.images.onPlan = func(in *imagev1.PlanRequest, out *imagev1.PlanResponse) error {
		n.Add(1)
		s.images.mu.Lock()
		defer s.images.mu.Unlock()
		if out.Image = s.images.byID[in.GetImageId()]; out.Image == nil {
			return fault.New(fault.NotFound, "", "no image %s", in.GetImageId())
		}
		out.Key, out.Variant = "key of "+in.GetImageId(), &imagev1.Variant{Name: "fly"}
		return nil
	}
	return &n
}

// makes has the worker make a picture under a key.
func (s *stage) makes(key string, picture []byte) {
	s.worker.on = func(_ context.Context, _ *imagev1.TransformRequest, stream imagev1.Transformer_TransformStream) error {
		head := &imagev1.Result{Name: "fly", Key: key, Size: int64(len(picture)), Format: "webp", ContentType: "image/webp"}
		err := stream.Send(&imagev1.TransformResponse{Part: &imagev1.TransformResponse_Result{Result: head}})
		for rest := picture; len(rest) > 0 && err == nil; {
			n := min(len(rest), 300_000)
			err = stream.Send(&imagev1.TransformResponse{Part: &imagev1.TransformResponse_Chunk{Chunk: rest[:n]}})
			rest = rest[n:]
		}
		return err
	}
}

func TestResultsAreKept(t *testing.T) {
	s := newStage(t)
	s.images.keep("img_k", "", []byte("x"))
	plans := s.planned()
	picture := noise(700_000)
	s.makes("key of img_k", picture)
	var headers []string
	for range 5 {
		rsp, body := s.get("/i/w_5/img_k.webp")
		if rsp.StatusCode != 200 || body != string(picture) || rsp.ContentLength != int64(len(picture)) {
			t.Fatalf("%d, %d bytes", rsp.StatusCode, len(body))
		}
		rsp.Header.Del("Date")
		for name := range rsp.Header {
			if strings.HasPrefix(name, "X-Request") || strings.HasPrefix(name, "X-Trace") {
				rsp.Header.Del(name)
			}
		}
		headers = append(headers, fmt.Sprint(rsp.Header))
	}
	if s.worker.count() != 1 || plans.Load() != 1 {
		t.Errorf("%d made, %d planned", s.worker.count(), plans.Load())
	}
	for _, h := range headers {
		if h != headers[0] {
			t.Errorf("the headers of a kept result are\n%s and not\n%s", h, headers[0])
		}
	}
	if rsp, body := s.do(s.request("HEAD", "/i/w_5/img_k.webp", nil)); rsp.StatusCode != 200 || body != "" || rsp.ContentLength != int64(len(picture)) {
		t.Errorf("HEAD: %d %d", rsp.StatusCode, rsp.ContentLength)
	}
	if rsp, _ := s.get("/i/w_5/img_k.webp", "If-None-Match", `"key of img_k"`); rsp.StatusCode != 304 {
		t.Errorf("a known result: %d", rsp.StatusCode)
	}
	// Another Accept may be planned as something else; here it is the same.
	if rsp, _ := s.get("/i/w_5/img_k.webp", "Accept", "image/avif"); rsp.StatusCode != 200 || plans.Load() != 2 || s.worker.count() != 1 {
		t.Errorf("another Accept: %d, %d planned, %d made", rsp.StatusCode, plans.Load(), s.worker.count())
	}
	_, metrics := s.get("/metrics")
	for _, line := range []string{`calotype_gateway_kept_total{of="results",outcome="miss"} 1`, "calotype_gateway_kept_bytes 700000"} {
		if !strings.Contains(metrics, line) {
			t.Errorf("not told: %s", line)
		}
	}

	if rsp, _ := s.do(s.request("DELETE", "/v1/images/img_k", nil)); rsp.StatusCode/100 != 2 {
		t.Fatalf("DELETE: %d", rsp.StatusCode)
	}
	s.images.mu.Lock()
	delete(s.images.byID, "img_k")
	s.images.mu.Unlock()
	if rsp, _ := s.get("/i/w_5/img_k.webp"); rsp.StatusCode != 404 {
		t.Errorf("a deleted image: %d", rsp.StatusCode)
	}
}

// What another gateway deleted is gone once the plan is asked for anew.
func TestPlansGoOutOfDate(t *testing.T) {
	s := newStage(t, func(set *setup) { set.gateway.Results.Plans = 50 * time.Millisecond })
	s.images.keep("img_k", "", []byte("x"))
	s.planned()
	s.makes("key of img_k", []byte("picture"))
	if rsp, _ := s.get("/i/w_5/img_k.webp"); rsp.StatusCode != 200 {
		t.Fatalf("%d", rsp.StatusCode)
	}
	s.images.mu.Lock()
	delete(s.images.byID, "img_k")
	s.images.mu.Unlock()
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); ; <-tick {
		rsp, _ := s.get("/i/w_5/img_k.webp")
		if rsp.StatusCode == 404 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a deleted image is shown for ever")
		}
	}
}

func TestWhatIsNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		bytes int
		set   func(*app.ResultsConfig)
		plans int64
	}{
		"made by a node of another version": {key: "another key", bytes: 10, plans: 1},
		"large":                             {key: "key of img_k", bytes: 1<<20 + 1, plans: 1},
		"no room":                           {key: "key of img_k", bytes: 10, set: func(c *app.ResultsConfig) { c.Memory = 0 }, plans: 1},
		"no plans":                          {key: "another key", bytes: 10, set: func(c *app.ResultsConfig) { c.Plans = 0 }, plans: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(set *setup) {
				if c.set != nil {
					c.set(&set.gateway.Results)
				}
			})
			s.images.keep("img_k", "", []byte("x"))
			plans := s.planned()
			s.makes(c.key, noise(c.bytes))
			for range 2 {
				if rsp, body := s.get("/i/w_5/img_k.webp"); rsp.StatusCode != 200 || len(body) != c.bytes {
					t.Errorf("%d, %d bytes", rsp.StatusCode, len(body))
				}
			}
			if s.worker.count() != 2 || plans.Load() != c.plans {
				t.Errorf("%d made, %d planned", s.worker.count(), plans.Load())
			}
		})
	}
	// A picture that broke off is not kept.
	s := newStage(t)
	s.images.keep("img_k", "", []byte("x"))
	s.planned()
	s.worker.on = func(_ context.Context, _ *imagev1.TransformRequest, stream imagev1.Transformer_TransformStream) error {
		head := &imagev1.Result{Key: "key of img_k", Size: 7, Format: "webp", ContentType: "image/webp"}
		err := stream.Send(&imagev1.TransformResponse{Part: &imagev1.TransformResponse_Result{Result: head}})
		chunk := &imagev1.TransformResponse{Part: &imagev1.TransformResponse_Chunk{Chunk: []byte("picture")}}
		return errors.Join(err, stream.Send(chunk), fault.New(fault.Internal, "", "oops"))
	}
	rsp, err := http.DefaultTransport.RoundTrip(s.request("GET", "/i/w_5/img_k.webp", nil))
	if err == nil {
		_, err = io.Copy(io.Discard, rsp.Body)
		rsp.Body.Close()
	}
	if err == nil {
		t.Error("a picture that broke off came whole")
	}
	s.makes("key of img_k", []byte("picture"))
	if rsp, body := s.get("/i/w_5/img_k.webp"); rsp.StatusCode != 200 || body != "picture" || s.worker.count() != 2 {
		t.Errorf("%d %q, %d made", rsp.StatusCode, body, s.worker.count())
	}
}

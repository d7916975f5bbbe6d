package app_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	imagev1 "calotype/proto/image/v1"
)

// What a gateway deleted it does not show any more, whatever it knows: neither at its own addresses nor upon another picture, by a
// preset too, and whichever way the DELETE came.
func TestWhatWasDeletedIsNotShown(t *testing.T) {
	s := newWhole(t, withOld(), func(set *setup) { set.gateway.Results.Plans = time.Hour })
	conn := s.dial()
	s.routed(conn, "image.v1.Images", healthpb.HealthCheckResponse_SERVING)
	base := s.uploads(photograph(40, 30))
	for way, del := range map[string]func(id string){
		"REST": func(id string) {
			if rsp, body := s.do(s.request("DELETE", "/v1/images/"+id, nil)); rsp.StatusCode/100 != 2 {
				t.Fatalf("DELETE: %d %s", rsp.StatusCode, body)
			}
		},
		"gRPC": func(id string) {
			_, err := imagev1.NewImagesClient(conn).Delete(t.Context(), &imagev1.DeleteImageRequest{Id: id})
			s.must(err)
		},
	} {
		t.Run(way, func(t *testing.T) {
			mark := s.uploads(photograph(9, 7))
			upon := "/i/w_20/l_" + mark + ",w_5/" + base + ".png"
			own := []string{"/i/w_5/" + mark + ".png", "/imgproxy/unsafe/w:5/plain/" + mark}
			for range 2 {
				for _, path := range append(own, upon) {
					s.decoded(path)
				}
			}
			del(mark)
			for _, path := range own {
				rsp, body := s.get(path)
				s.wantProblem(rsp, body, 404, "IMAGE_NOT_FOUND")
			}
			rsp, body := s.get(upon)
			s.wantProblem(rsp, body, 404, "OVERLAY_NOT_FOUND")
			s.decoded("/i/w_20/" + base + ".png")
		})
	}
}

// A manager's answer from before a DELETE is not kept after it, and who asks after it gets another.
func TestAPlanFromBeforeADelete(t *testing.T) {
	s := newStage(t, func(set *setup) { set.gateway.Results.Plans = time.Hour })
	s.images.keep("img_k", "", []byte("x"))
	s.makes("key of img_k", []byte("picture"))
	s.planned()
	plan, asked, answer := s.images.onPlan, make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	s.images.onPlan = func(in *imagev1.PlanRequest, out *imagev1.PlanResponse) error {
		err := plan(in, out)
		if calls.Add(1) == 1 {
			close(asked)
			select {
			case <-answer:
			case <-t.Context().Done():
			}
		}
		return err
	}
	before := make(chan int, 1)
	go func() {
		rsp, _ := s.get("/i/w_5/img_k.webp")
		before <- rsp.StatusCode
	}()
	<-asked
	if rsp, _ := s.do(s.request("DELETE", "/v1/images/img_k", nil)); rsp.StatusCode/100 != 2 {
		t.Fatalf("DELETE: %d", rsp.StatusCode)
	}
	for range 2 { // while the old answer is still on its way, and once it came
		rsp, body := s.do(s.request("GET", "/i/w_5/img_k.webp", nil).WithContext(limit(t)))
		s.wantProblem(rsp, body, 404, "NOT_FOUND")
		if before != nil {
			close(answer)
			if code := <-before; code != 200 {
				t.Errorf("who asked before: %d", code)
			}
			before = nil
		}
	}
}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

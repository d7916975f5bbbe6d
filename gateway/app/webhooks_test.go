package app_test

import (
	"context"
	"strings"
	"testing"

	"go-micro.dev/v4/server"

	"calotype/kit/fault"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
)

// webhooks is a double of the third of the image service's faces.
type webhooks struct{ asked *imagev1.ListWebhooksRequest }

func (s *webhooks) List(_ context.Context, in *imagev1.ListWebhooksRequest, out *imagev1.ListWebhooksResponse) error {
	s.asked, out.NextPageToken = in, "more"
	out.Webhooks = []*imagev1.Webhook{{Id: "whk_1_2", State: imagev1.Webhook_DELIVERED}}
	return nil
}

func (s *webhooks) Get(_ context.Context, in *imagev1.GetWebhookRequest, out *imagev1.Webhook) error {
	if in.GetId() != "whk_1_2" {
		return fault.New(fault.NotFound, "WEBHOOK_NOT_FOUND", "there is no webhook %q", in.GetId())
	}
	out.Id, out.Payload = in.GetId(), `{"type":"job.failed"}`
	return nil
}

func (s *webhooks) Replay(_ context.Context, in *imagev1.ReplayWebhookRequest, out *imagev1.Webhook) error {
	out.Id, out.State = in.GetId(), imagev1.Webhook_PENDING
	return nil
}

func TestWebhooksThroughTheGateway(t *testing.T) {
	double := &webhooks{}
	s := newStage(t, func(set *setup) {
		set.images = func(s *stage) {
			s.serve(proto.Image, *set, func(srv server.Server) error { return imagev1.RegisterWebhooksHandler(srv, double) })
		}
	})
	rsp, body := s.get("/v1/webhooks?job_id=job_1&state=FAILED&page_size=7&page_token=t")
	short := strings.ReplaceAll(body, " ", "")
	if rsp.StatusCode != 200 || !strings.Contains(short, `"id":"whk_1_2"`) || !strings.Contains(short, `"state":"DELIVERED"`) || !strings.Contains(short, `"next_page_token":"more"`) {
		t.Errorf("listed %d %s", rsp.StatusCode, body)
	}
	if a := double.asked; a.GetJobId() != "job_1" || a.GetState() != imagev1.Webhook_FAILED || a.GetPageSize() != 7 || a.GetPageToken() != "t" {
		t.Errorf("asked for %v", a)
	}
	if rsp, body := s.get("/v1/webhooks/whk_1_2"); rsp.StatusCode != 200 || !strings.Contains(body, `job.failed`) || strings.Contains(body, "end_time") {
		t.Errorf("got %d %s", rsp.StatusCode, body)
	}
	if rsp, body := s.post("/v1/webhooks/whk_1_2:replay", ""); rsp.StatusCode != 200 || !strings.Contains(body, `PENDING`) {
		t.Errorf("replayed %d %s", rsp.StatusCode, body)
	}
	rsp, body = s.get("/v1/webhooks/whk_none")
	s.wantProblem(rsp, body, 404, "WEBHOOK_NOT_FOUND")
	rsp, body = s.get("/v1/webhooks?state=NONSENSE")
	s.wantProblem(rsp, body, 400, "INVALID")
	rsp, body = s.get("/v1/webhooks/whk_1_2:replay")
	s.wantProblem(rsp, body, 405, "METHOD_NOT_ALLOWED")
}

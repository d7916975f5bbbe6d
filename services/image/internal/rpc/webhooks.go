package rpc

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
)

// Webhooks answers for image.v1's Webhooks.
type Webhooks struct{ uses *manager.Webhooks }

var _ imagev1.WebhooksHandler = (*Webhooks)(nil)

// NewWebhooks makes a handler over the use cases.
func NewWebhooks(uses *manager.Webhooks) *Webhooks { return &Webhooks{uses} }

// List implements imagev1.WebhooksHandler.
func (h *Webhooks) List(ctx context.Context, in *imagev1.ListWebhooksRequest, out *imagev1.ListWebhooksResponse) error {
	f := job.WebhookFilter{Job: job.ID(in.GetJobId())}
	if in.GetState() != imagev1.Webhook_STATE_UNSPECIFIED {
		for s, p := range webhookStates {
			if p == in.GetState() {
				f.State = s
			}
		}
		if f.State == "" {
			e := fault.New(fault.Invalid, "BAD_STATE", "the request is wrong")
			e.Fields = []fault.Field{{Path: "state", Message: "is no state of a webhook"}}
			return e
		}
	}
	found, next, err := h.uses.List(ctx, f, int(in.GetPageSize()), in.GetPageToken())
	if err != nil {
		return err
	}
	for _, w := range found {
		one := new(imagev1.Webhook)
		fillWebhook(one, w)
		out.Webhooks = append(out.Webhooks, one)
	}
	out.NextPageToken = next
	return nil
}

// Get implements imagev1.WebhooksHandler.
func (h *Webhooks) Get(ctx context.Context, in *imagev1.GetWebhookRequest, out *imagev1.Webhook) error {
	w, err := h.uses.Get(ctx, job.WebhookID(in.GetId()))
	if err != nil {
		return err
	}
	fillWebhook(out, w)
	out.Payload = string(w.Body)
	return nil
}

// Replay implements imagev1.WebhooksHandler.
func (h *Webhooks) Replay(ctx context.Context, in *imagev1.ReplayWebhookRequest, out *imagev1.Webhook) error {
	w, err := h.uses.Replay(ctx, job.WebhookID(in.GetId()))
	if err != nil {
		return err
	}
	fillWebhook(out, w)
	return nil
}

var webhookStates = map[job.WebhookState]imagev1.Webhook_State{
	job.WebhookPending: imagev1.Webhook_PENDING, job.WebhookDelivered: imagev1.Webhook_DELIVERED, job.WebhookFailed: imagev1.Webhook_FAILED,
}

func fillWebhook(p *imagev1.Webhook, w job.Webhook) {
	p.Id, p.JobId, p.Url = string(w.ID), string(w.Job), w.URL
	p.State = webhookStates[w.State]
	p.Attempts, p.Answer = int32(w.Attempts), w.Answer
	if w.State == job.WebhookPending {
		p.NextAttemptTime = timestamppb.New(w.Due)
	}
	p.CreateTime, p.EndTime = timestamppb.New(w.Created), timeToProto(w.Ended)
}

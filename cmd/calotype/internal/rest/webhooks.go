package rest

import (
	"context"
	"net/url"
	"strconv"

	imagev1 "calotype/proto/image/v1"
)

// Webhooks lists at most limit notices of jobs' ends, those of the newest jobs first; job and state narrow it down when set.
func (c *Client) Webhooks(ctx context.Context, limit int, job, state string) ([]*imagev1.Webhook, error) {
	var all []*imagev1.Webhook
	query := url.Values{}
	if job != "" {
		query.Set("job_id", job)
	}
	if state != "" {
		query.Set("state", state)
	}
	for len(all) < limit {
		query.Set("page_size", strconv.Itoa(min(limit-len(all), 1000)))
		page := &imagev1.ListWebhooksResponse{}
		if err := c.get(ctx, "/v1/webhooks", query, page); err != nil {
			return nil, err
		}
		all = append(all, page.Webhooks...)
		if page.NextPageToken == "" {
			break
		}
		query.Set("page_token", page.NextPageToken)
	}
	return all, nil
}

// Webhook describes a notice, with its body.
func (c *Client) Webhook(ctx context.Context, id string) (*imagev1.Webhook, error) {
	out := &imagev1.Webhook{}
	return out, c.get(ctx, "/v1/webhooks/"+url.PathEscape(id), nil, out)
}

// Replay sends a notice again.
func (c *Client) Replay(ctx context.Context, id string) (*imagev1.Webhook, error) {
	out := &imagev1.Webhook{}
	return out, c.post(ctx, "/v1/webhooks/"+url.PathEscape(id)+":replay", &imagev1.ReplayWebhookRequest{}, out)
}

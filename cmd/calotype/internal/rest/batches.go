package rest

import (
	"context"
	"net/http"
	"net/url"
	"time"

	imagev1 "calotype/proto/image/v1"
)

// CreateBatch begins a job on each image. It carries an idempotency key, so that trying again cannot begin it twice.
func (c *Client) CreateBatch(ctx context.Context, req *imagev1.CreateBatchRequest) (*imagev1.Batch, error) {
	out := &imagev1.Batch{}
	return out, c.send(ctx, "/v1/batches", http.Header{"Idempotency-Key": {newKey()}}, true, req, out)
}

// Batch describes a batch.
func (c *Client) Batch(ctx context.Context, id string) (*imagev1.Batch, error) {
	out := &imagev1.Batch{}
	return out, c.get(ctx, "/v1/batches/"+url.PathEscape(id), nil, out)
}

// CancelBatch ends the jobs of a batch that have not ended.
func (c *Client) CancelBatch(ctx context.Context, id string) (*imagev1.Batch, error) {
	out := &imagev1.Batch{}
	return out, c.send(ctx, "/v1/batches/"+url.PathEscape(id)+":cancel", nil, true, &imagev1.CancelBatchRequest{}, out)
}

// WatchBatch calls each with the batch every second until it is done, and returns it.
func (c *Client) WatchBatch(ctx context.Context, id string, each func(*imagev1.Batch)) (*imagev1.Batch, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		b, err := c.Batch(ctx, id)
		if err != nil {
			return nil, err
		}
		each(b)
		if b.GetDone() {
			return b, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

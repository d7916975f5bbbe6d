package rest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	imagev1 "calotype/proto/image/v1"
)

// newKey makes an idempotency key, under which a request can be sent again.
func newKey() string {
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	return hex.EncodeToString(key)
}

// Upload is a file to send and what to make of it.
type Upload struct {
	Path     string
	Preset   string
	Variants []string   // "name:options"
	Options  url.Values // how the job is to be run, as the upload's parameters; may be nil
	// Progress wraps the file's bytes as they go out; nil is none. It is called again when the upload is.
	Progress func(r io.Reader, size int64) io.Reader
}

// Upload sends a file. It carries an idempotency key, so that trying again after a broken connection cannot upload it twice.
func (c *Client) Upload(ctx context.Context, u Upload) (*imagev1.CreateImageResponse, error) {
	query := url.Values{"filename": {filepath.Base(u.Path)}}
	if u.Preset != "" {
		query.Set("preset", u.Preset)
	}
	for _, v := range u.Variants {
		query.Add("variants", v)
	}
	maps.Copy(query, u.Options)
	resp, err := c.do(ctx, request{
		method: http.MethodPost, path: "/v1/images", query: query, repeatable: true,
		header: http.Header{"Content-Type": {"application/octet-stream"}, "Idempotency-Key": {newKey()}, "Expect": {"100-continue"}},
		body:   u.open,
	})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := &imagev1.CreateImageResponse{}
	return out, decode(resp.Body, out)
}

func (u Upload) open() (io.ReadCloser, int64, error) {
	f, err := os.Open(u.Path)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", u.Path)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	var r io.Reader = f
	if u.Progress != nil {
		r = u.Progress(f, st.Size())
	}
	return struct {
		io.Reader
		io.Closer
	}{r, f}, st.Size(), nil
}

// Image describes an image.
func (c *Client) Image(ctx context.Context, id string) (*imagev1.Image, error) {
	out := &imagev1.Image{}
	return out, c.get(ctx, "/v1/images/"+url.PathEscape(id), nil, out)
}

// Filter narrows jobs down by what is set.
type Filter struct {
	State, Reason, Image, Batch, Tenant string
}

// Jobs lists at most limit jobs that f lets through, the newest first.
func (c *Client) Jobs(ctx context.Context, limit int, f Filter) ([]*imagev1.Job, error) {
	var all []*imagev1.Job
	query := url.Values{}
	for name, value := range map[string]string{"state": f.State, "reason": f.Reason, "image_id": f.Image, "batch_id": f.Batch, "tenant": f.Tenant} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for len(all) < limit {
		query.Set("page_size", strconv.Itoa(min(limit-len(all), 1000)))
		page := &imagev1.ListJobsResponse{}
		if err := c.get(ctx, "/v1/jobs", query, page); err != nil {
			return nil, err
		}
		all = append(all, page.Jobs...)
		if page.NextPageToken == "" {
			break
		}
		query.Set("page_token", page.NextPageToken)
	}
	return all, nil
}

// Job describes a job.
func (c *Client) Job(ctx context.Context, id string) (*imagev1.Job, error) {
	out := &imagev1.Job{}
	return out, c.get(ctx, "/v1/jobs/"+url.PathEscape(id), nil, out)
}

// Cancel ends a job.
func (c *Client) Cancel(ctx context.Context, id string) (*imagev1.Job, error) {
	out := &imagev1.Job{}
	return out, c.post(ctx, "/v1/jobs/"+url.PathEscape(id)+":cancel", &imagev1.CancelJobRequest{}, out)
}

// Retry queues an ended job again.
func (c *Client) Retry(ctx context.Context, id string) (*imagev1.Job, error) {
	out := &imagev1.Job{}
	return out, c.post(ctx, "/v1/jobs/"+url.PathEscape(id)+":retry", &imagev1.RetryJobRequest{}, out)
}

// Redrive queues again up to limit jobs that ended without success and that f lets through; 0 is as many as one request may.
func (c *Client) Redrive(ctx context.Context, limit int, f Filter) (*imagev1.RedriveJobsResponse, error) {
	out := &imagev1.RedriveJobsResponse{}
	return out, c.post(ctx, "/v1/jobs:redrive", &imagev1.RedriveJobsRequest{
		State: imagev1.Job_State(imagev1.Job_State_value[f.State]), Reason: f.Reason, ImageId: f.Image, BatchId: f.Batch, Tenant: f.Tenant, Limit: int32(limit),
	}, out)
}

// Package caller is a user of Calotype's REST interface as tests need one: it sends what it is told to, reads what comes back, and
// repeats nothing by itself.
package caller

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imagev1 "calotype/proto/image/v1"
)

// Caller asks what serves at Base, for example "http://127.0.0.1:8080".
type Caller struct {
	Base string
	HTTP *http.Client
}

// New makes a caller that keeps as many connections as it once needed.
func New(base string) *Caller {
	return &Caller{Base: base, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute}}}
}

// Answer is what came back.
type Answer struct {
	Status int
	Proto  string // for example "HTTP/2.0"
	Header http.Header
	Body   []byte
}

// Problem is an error's document; an answer that is none gives an empty one.
type Problem struct {
	Status    int    `json:"status"`
	Reason    string `json:"reason"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`
	TraceID   string `json:"trace_id"`
}

// Problem reads the answer as an error.
func (a Answer) Problem() (p Problem) {
	_ = json.Unmarshal(a.Body, &p) // then it is none
	return p
}

// String is the answer in short, for messages.
func (a Answer) String() string {
	return fmt.Sprintf("%d %s", a.Status, a.Body[:min(len(a.Body), 400)])
}

// Send asks once. An answer that breaks off is an error.
func (c *Caller) Send(ctx context.Context, method, path string, header http.Header, body io.Reader) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return Answer{}, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Proto, resp.Header, b}, err
}

// Get asks for a path.
func (c *Caller) Get(ctx context.Context, path string) (Answer, error) {
	return c.Send(ctx, http.MethodGet, path, nil, nil)
}

// Fetch reads a message; any other answer than 200 is an error.
func (c *Caller) Fetch(ctx context.Context, path string, into proto.Message) error {
	a, err := c.Get(ctx, path)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("GET %s: %v", path, a)
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(a.Body, into)
}

// Upload posts a picture under an idempotency key, which may be empty.
func (c *Caller) Upload(ctx context.Context, key string, query url.Values, data []byte) (Answer, error) {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return c.Send(ctx, http.MethodPost, "/v1/images?"+query.Encode(), header, bytes.NewReader(data))
}

// Created reads the answer to an upload; any other than 201 is an error.
func (a Answer) Created() (*imagev1.CreateImageResponse, error) {
	if a.Status != http.StatusCreated {
		return nil, fmt.Errorf("the upload was answered %v", a)
	}
	made := &imagev1.CreateImageResponse{}
	return made, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(a.Body, made)
}

// Until asks again at every beat until there is no error, or ctx ends: then it tells the last one.
func Until(ctx context.Context, beat time.Duration, ask func(context.Context) error) error {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // an answer that the end cut off tells nothing
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), last)
		case <-tick.C:
		}
	}
}

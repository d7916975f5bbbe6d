// Package rest is the client side of the gateway's REST routes, as the command line needs it. It knows HTTP and the contract's
// messages, and nothing of terminals.
package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Client talks to one gateway, or to the Nginx before several.
type Client struct {
	base  *url.URL
	http  *http.Client
	agent string
}

// New makes a client of the server at base, for example "http://127.0.0.1:8080".
func New(base, version string) (*Client, error) {
	if !strings.Contains(base, "://") {
		base = "http://" + base
	}
	u, err := url.Parse(strings.TrimSuffix(base, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q is not the address of a server; it should look like http://127.0.0.1:8080", base)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 32
	t.ResponseHeaderTimeout = 0 // uploads answer when the job is durable; the caller's context bounds the wait
	return &Client{base: u, http: &http.Client{Transport: t}, agent: "calotype/" + version}, nil
}

// Server is the address the client talks to.
func (c *Client) Server() string { return c.base.String() }

// URL gives the absolute form of a path.
func (c *Client) URL(path string) string { return c.base.String() + path }

// ErrUnreachable is in the chain of every error that means no server answered.
var ErrUnreachable = errors.New("no server answers")

// maxTries bounds how often a request that may be repeated is sent, and maxPause how long one Retry-After may hold it up.
const (
	maxTries = 4
	maxPause = 15 * time.Second
)

// request is one HTTP request that can be sent again: body, when set, gives a fresh reader each time.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         func() (io.ReadCloser, int64, error)
	repeatable   bool
}

// do sends r until it is answered with a success; problems come back as *Problem. 503, 429 and connections that could not be
// made or broke are tried again where the request may be repeated.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	pause := 200 * time.Millisecond
	for try := 1; ; try++ {
		resp, err := c.once(ctx, r)
		wait, again := retry(err, pause)
		if err == nil || !again || !r.repeatable || try == maxTries || ctx.Err() != nil {
			return resp, err
		}
		select {
		case <-time.After(wait):
			pause *= 2
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (c *Client) once(ctx context.Context, r request) (*http.Response, error) {
	target := c.base.String() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, nil)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	req.Header.Set("User-Agent", c.agent)
	if r.body != nil {
		if req.Body, req.ContentLength, err = r.body(); err != nil {
			return nil, err
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, readProblem(resp)
	}
	return resp, nil
}

// explain turns a transport error into what a person can act on.
func (c *Client) explain(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("%w at %s (%w); is it running? `calotype up` starts one, --server names another", ErrUnreachable, c.base, op.Err)
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return fmt.Errorf("talking to %s: %w", c.base, err)
}

// retry says whether an error may pass, and how long to wait.
func retry(err error, pause time.Duration) (time.Duration, bool) {
	if err == nil {
		return 0, false
	}
	var p *Problem
	if !errors.As(err, &p) {
		return pause, !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	if p.Status != http.StatusServiceUnavailable && p.Status != http.StatusTooManyRequests && p.Status != http.StatusBadGateway {
		return 0, false
	}
	return min(max(p.RetryAfter, pause), maxPause), true
}

// get reads a message from path.
func (c *Client) get(ctx context.Context, path string, query url.Values, into proto.Message) error {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query, repeatable: true})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return decode(resp.Body, into)
}

// post sends a message and reads another. It is not repeated.
func (c *Client) post(ctx context.Context, path string, msg, into proto.Message) error {
	return c.send(ctx, path, nil, false, msg, into)
}

// send is post with headers, for what may be repeated.
func (c *Client) send(ctx context.Context, path string, header http.Header, repeatable bool, msg, into proto.Message) error {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(msg)
	if err != nil {
		return err
	}
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	resp, err := c.do(ctx, request{
		method: http.MethodPost, path: path, header: header, repeatable: repeatable,
		body: func() (io.ReadCloser, int64, error) { return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil },
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return decode(resp.Body, into)
}

// decode takes fields it does not know for a newer server's, and ignores them.
func decode(r io.Reader, into proto.Message) error {
	b, err := io.ReadAll(io.LimitReader(r, 16<<20))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, into); err != nil {
		return fmt.Errorf("the answer is not what this version of calotype understands: %w", err)
	}
	return nil
}

func seconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

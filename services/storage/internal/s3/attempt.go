package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// errSilent is why an attempt ends at an endpoint that takes and gives nothing any more.
var errSilent = errors.New("the endpoint fell silent")

// attempt is one request to one endpoint. It ends when nothing moves for a time-out, in either direction, however long it takes as a
// whole. minio-go tries nothing again (MaxRetries is 1) but still waits up to 200 ms after a failure: the attempt's context is
// cancelled with the failure, which ends that, and what failed is kept here.
type attempt struct {
	ctx     context.Context // of the one request
	cancel  context.CancelCauseFunc
	timeout time.Duration
	timer   *time.Timer

	mu   sync.Mutex
	err  error    // of the transport
	said *refusal // by the server: not now
}

// refusal is an answer that may be another one later.
type refusal struct {
	status     int
	code       string
	retryAfter time.Duration
}

func (r *refusal) Error() string {
	return "the object store answered " + strconv.Itoa(r.status) + " " + r.code
}

type attemptKey struct{}

func newAttempt(ctx context.Context, timeout time.Duration) *attempt {
	a := &attempt{timeout: timeout}
	ctx, a.cancel = context.WithCancelCause(ctx)
	a.ctx = context.WithValue(ctx, attemptKey{}, a)
	a.timer = time.AfterFunc(timeout, func() { a.cancel(errSilent) })
	return a
}

func (a *attempt) moved() { a.timer.Reset(a.timeout) }

// rest stops the clock while nobody waits for the endpoint: it is the reader that takes its time.
func (a *attempt) rest() { a.timer.Stop() }

func (a *attempt) end() {
	a.timer.Stop()
	a.cancel(nil)
}

func (a *attempt) broke(err error) {
	a.mu.Lock()
	a.err = err
	a.mu.Unlock()
	a.cancel(err)
}

// failure is what the transport or the server said, nil when neither complained.
func (a *attempt) failure() (said *refusal, broke error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if errors.Is(context.Cause(a.ctx), errSilent) {
		return nil, errSilent
	}
	return a.said, a.err
}

// transport tells attempts what becomes of them.
type transport struct {
	http.RoundTripper
	endpoint *endpoint
}

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a, ok := req.Context().Value(attemptKey{}).(*attempt)
	if !ok {
		return t.RoundTripper.RoundTrip(req)
	}
	a.moved()
	if req.Body != nil && req.Body != http.NoBody {
		watched := *req
		watched.Body = sending{req.Body, a}
		req = &watched
	}
	res, err := t.RoundTripper.RoundTrip(req)
	if err != nil {
		a.broke(err)
		return nil, err
	}
	a.rest()
	t.endpoint.heard.Store(time.Now().UnixNano())
	t.endpoint.missed.Store(0)
	if passing(res.StatusCode) {
		return res, a.refused(res)
	}
	res.Body = receiving{res.Body, a}
	return res, nil
}

// passing reports that the same request may be answered in another way later.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, 499:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusInsufficientStorage:
		return false
	}
	return status >= 500
}

func (a *attempt) refused(res *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(receiving{res.Body, a}, 64<<10))
	res.Body.Close()
	if err != nil {
		a.broke(err)
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	var said struct{ Code string }
	_ = xml.Unmarshal(body, &said) // a proxy in between says it in its own way
	r := &refusal{status: res.StatusCode, code: said.Code}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.retryAfter = min(time.Duration(seconds)*time.Second, time.Minute)
	}
	a.mu.Lock()
	a.said = r
	a.mu.Unlock()
	a.cancel(r)
	return nil
}

// sending is a body that the transport reads as fast as the endpoint takes it.
type sending struct {
	io.ReadCloser
	a *attempt
}

func (s sending) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.a.moved()
	return n, err
}

// receiving is a body that is read as fast as a caller likes.
type receiving struct {
	io.ReadCloser
	a *attempt
}

func (r receiving) Read(p []byte) (int, error) {
	r.a.moved()
	n, err := r.ReadCloser.Read(p)
	r.a.rest()
	if err != nil && !errors.Is(err, io.EOF) {
		r.a.broke(err)
	}
	return n, err
}

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	maxWait = 20 * time.Second // of a blocking query
	answer  = 2 * time.Second  // of an agent that is well, beyond what it was asked to wait
)

// failover sends a request to the agent that answered last and, when that one does not answer, to the others in turn. An agent
// that takes over does not know the nodes of the one before: their next renewal fails there, and the plugin then registers them.
type failover struct {
	agents  []string
	next    http.RoundTripper
	current atomic.Int64
}

func (f *failover) RoundTrip(req *http.Request) (*http.Response, error) {
	first := f.current.Load()
	var errs []error
	for i := range int64(len(f.agents)) {
		at := (first + i) % int64(len(f.agents))
		again, err := retarget(req, f.agents[at])
		if err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		rsp, err := f.try(again, patience(req))
		if err == nil {
			f.current.Store(at)
			return rsp, nil
		}
		errs = append(errs, fmt.Errorf("agent %s: %w", f.agents[at], err))
		if req.Context().Err() != nil || req.Body != nil && req.GetBody == nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// patience is how long an answer may take: a blocking query is meant to.
func patience(req *http.Request) time.Duration {
	if q := req.URL.Query(); q.Get("index") != "" && q.Get("index") != "0" {
		wait, err := time.ParseDuration(q.Get("wait"))
		if err != nil {
			wait = 5 * time.Minute // Consul's default
		}
		return wait + wait/16 + answer // Consul adds up to a sixteenth itself
	}
	return answer
}

func retarget(req *http.Request, agent string) (*http.Request, error) {
	again := req.Clone(req.Context())
	again.URL.Host, again.Host = agent, agent
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		again.Body = body
	}
	return again, nil
}

func (f *failover) try(req *http.Request, patience time.Duration) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), patience, fmt.Errorf("no answer within %v", patience))
	rsp, err := f.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel()
		return nil, err
	}
	rsp.Body = body{rsp.Body, cancel}
	return rsp, nil
}

// body keeps the time-out alive until the answer has been read.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

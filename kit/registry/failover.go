package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxWait = 10 * time.Second // of a blocking query: one at an agent that froze is asked elsewhere after that
	answer  = 2 * time.Second  // of an agent that is well, beyond what it was asked to wait
)

// failover sends a request to the agent that answered last and, when that one does not answer as it should, to the others in turn. An
// agent that takes over does not know the nodes of the one before: their next renewal fails there, and the plugin then registers them.
type failover struct {
	agents  []string
	next    http.RoundTripper
	current atomic.Int64

	mu      sync.Mutex
	holders []int64 // agents that took a node, and may have it still
}

func (f *failover) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasPrefix(req.URL.Path, "/v1/agent/service/deregister/") {
		return f.everyHolder(req)
	}
	first := f.current.Load()
	var errs []error
	var refused *http.Response
	for i := range int64(len(f.agents)) {
		at := (first + i) % int64(len(f.agents))
		rsp, err := f.ask(req, at)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !elsewhere(req, rsp):
			f.current.CompareAndSwap(first, at)
			f.note(req, at)
			return rsp, nil
		case refused == nil:
			refused = kept(rsp)
		default:
			rsp.Body.Close()
		}
		if req.Context().Err() != nil || req.Body != nil && req.GetBody == nil {
			break
		}
	}
	if refused != nil {
		return refused, nil
	}
	return nil, errors.Join(errs...)
}

// elsewhere reports whether another agent may do better: this one has no leader, too much to do, is ill, or has not heard of a token yet
// that was made a moment ago.
func elsewhere(req *http.Request, rsp *http.Response) bool {
	switch code := rsp.StatusCode; {
	case code == http.StatusForbidden, code == http.StatusTooManyRequests, code >= http.StatusInternalServerError:
		return true
	}
	return rsp.Header.Get("X-Consul-Knownleader") == "false" && patience(req) == answer
}

// kept is an answer that may yet be given, when it turns out that no agent has a better one.
func kept(rsp *http.Response) *http.Response {
	defer rsp.Body.Close()
	text, err := io.ReadAll(rsp.Body)
	if err != nil { // what is missing is missed by who decodes it
		text = nil
	}
	rsp.Body = io.NopCloser(bytes.NewReader(text))
	return rsp
}

// note remembers who was told of a node.
func (f *failover) note(req *http.Request, at int64) {
	if req.URL.Path != "/v1/agent/service/register" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.holders, at) {
		f.holders = append(f.holders, at)
	}
}

// everyHolder takes a node out of all agents that it was ever told to: one that was left for another would give it until its TTL has
// run out. It is enough that one does so; the others may be gone for good.
func (f *failover) everyHolder(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	holders := slices.Clone(f.holders)
	f.mu.Unlock()
	if len(holders) == 0 {
		holders = []int64{f.current.Load()}
	}
	type result struct {
		rsp *http.Response
		err error
	}
	results := make(chan result)
	for _, at := range holders {
		go func() {
			rsp, err := f.ask(req, at) //nolint:bodyclose // best is the caller's, the others are closed below
			results <- result{rsp, err}
		}()
	}
	var best *http.Response
	var errs []error
	for range holders {
		r := <-results
		switch {
		case r.err != nil:
			errs = append(errs, r.err)
		case best == nil:
			best = r.rsp
		case r.rsp.StatusCode < best.StatusCode:
			best.Body.Close()
			best = r.rsp
		default:
			r.rsp.Body.Close()
		}
	}
	if best == nil {
		return nil, errors.Join(errs...)
	}
	return best, nil
}

func (f *failover) ask(req *http.Request, at int64) (*http.Response, error) {
	again, err := retarget(req, f.agents[at])
	if err != nil {
		return nil, err
	}
	rsp, err := f.try(again, patience(req))
	if err != nil {
		return nil, fmt.Errorf("agent %s: %w", f.agents[at], err)
	}
	return rsp, nil
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

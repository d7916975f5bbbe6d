// Package events serves what happens to a job as server-sent events. Every event carries its sequence as its id, so that a browser
// that lost the connection goes on where it was; a node that dies behind the gateway is replaced without the browser noticing.
package events

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

// Handler serves GET /v1/jobs/{id}/events and GET /v1/batches/{id}/events. Its fields are set before the first request.
type Handler struct {
	Jobs    imagev1.JobsService
	Batches imagev1.BatchesService
	// Heartbeat is how often a silent stream says that it lives.
	Heartbeat time.Duration
	// Patience is how long a client may take no byte.
	Patience time.Duration
	// Leaving ends when the gateway drains: streams end, and browsers come back to another node.
	Leaving context.Context
}

const (
	// opening is how long the first event, or the word that there is no such job, is waited for before the stream begins.
	opening = time.Second
	// retries is how often in a row a watch that broke is begun anew.
	retries = 5
)

// Job streams from after Last-Event-ID on, until the event that ended the job.
func (h *Handler) Job(w http.ResponseWriter, r *http.Request) {
	after, err := lastSeen(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.serve(w, r, func(ctx context.Context, feed chan<- news) (bool, error) {
		before := after
		err := h.follow(ctx, r.PathValue("id"), &after, feed)
		return after > before, err
	})
}

// Batch streams the batch whenever it has changed, until its jobs have ended. An event's id is the time of the change; a browser that
// comes back after the last is told that there is no more, as with a job.
func (h *Handler) Batch(w http.ResponseWriter, r *http.Request) {
	seen, err := lastSeen(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.serve(w, r, func(ctx context.Context, feed chan<- news) (bool, error) {
		return h.followBatch(ctx, r.PathValue("id"), seen, feed)
	})
}

// follow is one watch at some node: it tells whether anything came, and ends with io.EOF after the last news.
type follow func(ctx context.Context, feed chan<- news) (bool, error)

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, f follow) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.Leaving, cancel)()

	feed := make(chan news)
	ended := make(chan error, 1)
	go func() { ended <- watch(ctx, f, feed) }()

	s := newStream(w, h.Patience)
	open := time.NewTimer(opening)
	defer open.Stop()
	beat := time.NewTicker(h.Heartbeat)
	defer beat.Stop()
	for err := error(nil); err == nil; {
		select {
		case n := <-feed:
			err = s.event(n)
		case <-open.C:
			err = s.comment("open")
		case <-beat.C:
			err = s.comment("alive")
		case err = <-ended:
			h.end(s, w, r, err)
			return
		}
	}
	cancel()
	<-ended // the client has left; the watcher must not outlive the request
}

// end answers where nothing was sent yet. A browser that comes back after the last event is told by 204 to stay away; one that meets a
// gateway that leaves gets an empty stream, for after a 503 browsers do not come back.
func (h *Handler) end(s *stream, w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case s.began:
	case errors.Is(err, io.EOF):
		w.WriteHeader(http.StatusNoContent)
	case h.Leaving.Err() != nil:
		_ = s.comment("this gateway is leaving; another one goes on") // the client has left
	default:
		problem.Write(w, r, err)
	}
}

// watch feeds the news and returns io.EOF after the last. It goes on at another node, after a pause, when a watch breaks.
func watch(ctx context.Context, f follow, feed chan<- news) error {
	for failures := 0; ; {
		some, err := f(ctx, feed)
		if some {
			failures = 0
		}
		failures++
		if errors.Is(err, io.EOF) || ctx.Err() != nil || !fault.Transient(err) || failures > retries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(failures) * 100 * time.Millisecond):
		}
	}
}

func (h *Handler) follow(ctx context.Context, id string, after *int64, feed chan<- news) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.Jobs.Watch(ctx, &imagev1.WatchJobRequest{Id: id, AfterSequence: *after})
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		e, err := stream.Recv()
		if err != nil {
			return err
		}
		if e.GetSequence() <= *after {
			continue // told before the watch broke
		}
		select {
		case feed <- news{name: strings.ToLower(e.GetState().String()), id: e.GetSequence(), message: e}:
			*after = e.GetSequence()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *Handler) followBatch(ctx context.Context, id string, seen int64, feed chan<- news) (some bool, _ error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.Batches.Watch(ctx, &imagev1.WatchBatchRequest{Id: id})
	if err != nil {
		return false, err
	}
	defer stream.Close()
	for {
		b, err := stream.Recv()
		if err != nil {
			return some, err
		}
		at := b.GetUpdateTime().AsTime().UnixMicro()
		if b.GetDone() && at == seen {
			continue
		}
		select {
		case feed <- news{name: "batch", id: at, message: b}:
			some = true
		case <-ctx.Done():
			return some, ctx.Err()
		}
	}
}

func lastSeen(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		f := fault.New(fault.Invalid, "", "Last-Event-ID is not the id of an event")
		f.Fields = []fault.Field{{Path: "Last-Event-ID", Message: strconv.Quote(text) + " is not a whole number from 0"}}
		return 0, f
	}
	return n, nil
}

// Package events serves what happens to a job as server-sent events. Every event carries its sequence as its id, so that a browser
// that lost the connection goes on where it was; a node that dies behind the gateway is replaced without the browser noticing.
package events

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

// Handler serves GET /v1/jobs/{id}/events. Its fields are set before the first request.
type Handler struct {
	Jobs imagev1.JobsService
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

// ServeHTTP streams from after Last-Event-ID on, until the event that ended the job.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	after, err := lastSeen(r)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.Leaving, cancel)()

	feed := make(chan *imagev1.JobEvent)
	ended := make(chan error, 1)
	go func() { ended <- h.watch(ctx, r.PathValue("id"), after, feed) }()

	s := newStream(w, h.Patience)
	open := time.NewTimer(opening)
	defer open.Stop()
	beat := time.NewTicker(h.Heartbeat)
	defer beat.Stop()
	for err == nil {
		select {
		case e := <-feed:
			err = s.event(e)
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

// watch feeds the job's events and returns io.EOF after the last. It goes on at another node, after a pause, when a watch breaks.
func (h *Handler) watch(ctx context.Context, id string, after int64, feed chan<- *imagev1.JobEvent) error {
	for failures := 0; ; {
		before := after
		err := h.follow(ctx, id, &after, feed)
		if after > before {
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

func (h *Handler) follow(ctx context.Context, id string, after *int64, feed chan<- *imagev1.JobEvent) error {
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
		case feed <- e:
			*after = e.GetSequence()
		case <-ctx.Done():
			return ctx.Err()
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

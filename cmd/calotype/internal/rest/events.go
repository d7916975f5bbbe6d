package rest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
)

// Watch calls each for every event of a job, in order, until the job has ended, and returns the ended job. It takes up the thread
// where it broke: a gateway that goes away in the middle costs nothing but a moment.
func (c *Client) Watch(ctx context.Context, id string, each func(*imagev1.JobEvent)) (*imagev1.Job, error) {
	last, broken := "", 0
	for {
		before := last
		err := c.stream(ctx, id, &last, each)
		if err != nil {
			return nil, err
		}
		job, err := c.Job(ctx, id)
		if err != nil || Ended(job.State) {
			return job, err
		}
		if broken++; last != before {
			broken = 0
		}
		if broken == 10 {
			return nil, fmt.Errorf("the events of %s keep breaking off; `calotype job %s` shows where it stands", id, id)
		}
		select {
		case <-time.After(time.Duration(broken+1) * 100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Ended reports whether a job in this state does nothing more by itself.
func Ended(s imagev1.Job_State) bool {
	switch s {
	case imagev1.Job_SUCCEEDED, imagev1.Job_FAILED, imagev1.Job_CANCELLED, imagev1.Job_DEAD:
		return true
	}
	return false
}

// stream reads one connection's worth of events. A connection that breaks is no error: the caller sees where the job stands.
func (c *Client) stream(ctx context.Context, id string, last *string, each func(*imagev1.JobEvent)) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if *last != "" {
		header.Set("Last-Event-ID", *last)
	}
	resp, err := c.do(ctx, request{method: http.MethodGet, path: "/v1/jobs/" + url.PathEscape(id) + "/events", header: header, repeatable: true})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	var event, data string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			event = value
		case "data":
			data += value
		case "":
			if data == "" {
				continue
			}
			e := &imagev1.JobEvent{}
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(data), e); err != nil {
				return fmt.Errorf("an event of %s is not what this version of calotype understands: %w", id, err)
			}
			each(e)
			*last, data = event, ""
		}
	}
	if err := lines.Err(); err != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, bufio.ErrTooLong)) {
		return err
	} else if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}

package caller

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Event is one server-sent event.
type Event struct{ Name, ID, Data string }

// Events reads a stream of server-sent events until it ends, or until enough says that what has come will do; enough may be nil.
// A stream that has nothing more to tell (204) gives none.
func (c *Caller) Events(ctx context.Context, path, last string, enough func([]Event) bool) ([]Event, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+path, nil)
	if err != nil {
		return nil, err
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return nil, nil
	}
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 400))
		return nil, fmt.Errorf("GET %s: %d %s", path, resp.StatusCode, body)
	}
	return readEvents(resp.Body, enough)
}

func readEvents(r io.Reader, enough func([]Event) bool) (all []Event, _ error) {
	var e Event
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case lines.Text() == "" && e != (Event{}):
			all = append(all, e)
			e = Event{}
			if enough != nil && enough(all) {
				return all, nil
			}
		case field == "event":
			e.Name = value
		case field == "id":
			e.ID = value
		case field == "data":
			e.Data += value
		}
	}
	return all, lines.Err()
}

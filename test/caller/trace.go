package caller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Traced fails as long as the Jaeger at Base has not every hop of an upload with a preset in a trace, the worker's across the queue
// included.
func (c *Caller) Traced(ctx context.Context, trace string) error {
	spans, err := c.spans(ctx, trace)
	if err != nil {
		return err
	}
	for _, hop := range []string{
		"calotype-gateway HTTP POST /v1/images",
		"calotype-storage storage.v1.Storage/Put",
		"calotype-image image.v1.Images/Create",
		"calotype-image-worker image.v1.Transformer/Inspect",
		"calotype-storage storage.v1.Storage/Get",
		"calotype-image-worker job work",
		"calotype-image job report finished",
	} {
		if !slices.ContainsFunc(spans, func(s string) bool { return strings.Contains(s, hop) }) {
			return fmt.Errorf("no span %q among\n%s", hop, strings.Join(spans, "\n"))
		}
	}
	return nil
}

// spans lists a trace's spans as "service operation".
func (c *Caller) spans(ctx context.Context, trace string) ([]string, error) {
	a, err := c.Get(ctx, "/api/traces/"+trace)
	if err != nil {
		return nil, err
	}
	var found struct {
		Data []struct {
			Spans []struct {
				OperationName string
				ProcessID     string
			}
			Processes map[string]struct{ ServiceName string }
		}
	}
	if err := json.Unmarshal(a.Body, &found); err != nil {
		return nil, fmt.Errorf("%v", a)
	}
	var all []string
	for _, d := range found.Data {
		for _, s := range d.Spans {
			all = append(all, d.Processes[s.ProcessID].ServiceName+" "+s.OperationName)
		}
	}
	return all, nil
}

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// Prometheus answers questions over its HTTP API.
type Prometheus struct{ URL string }

func (p *Prometheus) get(ctx context.Context, path string, query url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: into}
	if err := json.NewDecoder(rsp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("Prometheus answers %s: %w", rsp.Status, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("Prometheus: %s", answer.Error)
	}
	return nil
}

// Ask gives how many series an expression has now. An error may be Prometheus not understanding it.
func (p *Prometheus) Ask(ctx context.Context, expr string) (int, error) {
	var data struct {
		ResultType string
		Result     []json.RawMessage
	}
	err := p.get(ctx, "/api/v1/query", url.Values{"query": {expr}}, &data)
	return len(data.Result), err
}

// Values are those that a label has, of a metric or of any.
func (p *Prometheus) Values(ctx context.Context, label, metric string) ([]string, error) {
	query := url.Values{}
	if metric != "" {
		query.Set("match[]", metric)
	}
	var values []string
	err := p.get(ctx, "/api/v1/label/"+label+"/values", query, &values)
	return values, err
}

// Labels are those that a metric's series have.
func (p *Prometheus) Labels(ctx context.Context, metric string) ([]string, error) {
	var series []map[string]string
	if err := p.get(ctx, "/api/v1/series", url.Values{"match[]": {metric}}, &series); err != nil {
		return nil, err
	}
	var names []string
	for _, s := range series {
		for name := range s {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"calotype/kit/health"
)

// Node is a registered process.
type Node struct {
	Service  string            `json:"service"`
	ID       string            `json:"id"`
	Address  string            `json:"address"`
	Version  string            `json:"version"`
	Metadata map[string]string `json:"metadata"`
}

// Nodes lists what is registered.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	var out struct {
		Nodes []Node `json:"nodes"`
	}
	return out.Nodes, c.getJSON(ctx, "/v1/nodes", &out)
}

// Ready asks the gateway whether it, and what shares its process, is ready. That it is not is no error.
func (c *Client) Ready(ctx context.Context) (health.Report, error) {
	var out health.Report
	resp, err := c.do(ctx, request{method: http.MethodGet, path: "/readyz"})
	var p *Problem
	if errors.As(err, &p) && p.Status == http.StatusServiceUnavailable {
		return out, json.Unmarshal(p.body, &out)
	}
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

func (c *Client) getJSON(ctx context.Context, path string, into any) error {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path, repeatable: true})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("the answer to %s is not what this version of calotype understands: %w", path, err)
	}
	return nil
}

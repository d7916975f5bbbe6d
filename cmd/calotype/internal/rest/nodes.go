package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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

// Readiness is what /readyz tells: each check and its error, "" where it passes.
type Readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

// Ready asks the gateway whether it, and what it needs, is ready.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var out Readiness
	err := c.getJSON(ctx, "/readyz", &out)
	var p *Problem
	if errors.As(err, &p) && p.Status == http.StatusServiceUnavailable {
		return Readiness{Status: p.Title}, nil
	}
	return out, err
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

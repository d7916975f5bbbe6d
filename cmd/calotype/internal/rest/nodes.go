package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"calotype/kit/health"
	imagev1 "calotype/proto/image/v1"
)

// Node is one service of one process.
type Node struct {
	Service       string            `json:"service"`
	ID            string            `json:"id"`
	Address       string            `json:"address"`
	Version       string            `json:"version"`
	Commit        string            `json:"commit,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	State         string            `json:"state,omitempty"`           // ready, not_ready, silent or unknown
	LastAnswerAge string            `json:"last_answer_age,omitempty"` // of a silent one
	StartTime     time.Time         `json:"start_time,omitzero"`
	HeartbeatAge  string            `json:"heartbeat_age,omitempty"`
	Slots         int               `json:"slots,omitempty"`
	InFlight      *int              `json:"in_flight,omitempty"` // nil: it did not tell
	Waiting       int               `json:"waiting,omitempty"`
	Leads         []Term            `json:"leads,omitempty"`
}

// Term is a duty that a node leads.
type Term struct {
	Duty  string    `json:"duty"`
	Fence int64     `json:"fence"`
	Since time.Time `json:"since_time"`
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

// Capabilities asks a worker what it can do.
func (c *Client) Capabilities(ctx context.Context) (*imagev1.CapabilitiesResponse, error) {
	out := new(imagev1.CapabilitiesResponse)
	return out, c.get(ctx, "/v1/capabilities", nil, out)
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

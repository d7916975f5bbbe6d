// Package nodes tells which nodes of which services the registry knows, and what each of them tells of itself.
package nodes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"go-micro.dev/v4/registry"
	"golang.org/x/sync/errgroup"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
)

// Registry finds a service's nodes. A name that nobody registered is registry.ErrNotFound.
type Registry interface {
	GetService(name string, opts ...registry.GetOption) ([]*registry.Service, error)
}

// Handler serves GET /v1/nodes.
type Handler struct {
	cfg   Config
	asker *asker
}

// Config says whom to ask, and how long to wait.
type Config struct {
	Registry Registry
	Services []string
	Timeout  time.Duration // for the registry's answer
	Dial     Dial
	Patience time.Duration // for a node's; all are asked at once. Default 300 ms
}

// New makes a handler. Close lets go of its connections.
func New(cfg Config) *Handler {
	if cfg.Patience <= 0 {
		cfg.Patience = 300 * time.Millisecond
	}
	return &Handler{cfg: cfg, asker: &asker{dial: cfg.Dial, timeout: cfg.Patience, peers: map[endpoint]*peer{}}}
}

// Close lets go of all nodes; those that are asked after it are silent.
func (h *Handler) Close() { h.asker.close() }

// Node is one service of one process: as it registered itself, and as it is.
type Node struct {
	Service       string            `json:"service"`
	ID            string            `json:"id"`
	Address       string            `json:"address"`
	Version       string            `json:"version"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	State         string            `json:"state"`
	LastAnswerAge string            `json:"last_answer_age,omitempty"` // of a silent one that answered before
	*Status
}

func (n *Node) endpoint() endpoint { return endpoint{n.ID, n.Address, n.Metadata["protocol"]} }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nodes, err := h.list(r.Context())
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.asker.keep(nodes)
	var all sync.WaitGroup
	for i := range nodes {
		all.Go(func() { h.asker.ask(r.Context(), &nodes[i]) })
	}
	all.Wait()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(struct {
		Nodes []Node `json:"nodes"`
	}{nodes}) // the caller has left
}

// list asks for all services at once, and gives up on a registry that hangs.
func (h *Handler) list(ctx context.Context) ([]Node, error) {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	found := make([][]Node, len(h.cfg.Services))
	var group errgroup.Group
	for i, name := range h.cfg.Services {
		group.Go(func() (err error) {
			found[i], err = h.of(ctx, name)
			return err
		})
	}
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "REGISTRY_AWAY", "the registry does not answer")
		}
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "REGISTRY_AWAY", "the registry does not answer in time")
	}
	all := slices.Concat(found...)
	if all == nil {
		all = []Node{}
	}
	slices.SortFunc(all, func(a, b Node) int { return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

func (h *Handler) of(ctx context.Context, name string) ([]Node, error) {
	services, err := h.cfg.Registry.GetService(name, registry.GetContext(ctx))
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var nodes []Node
	for _, s := range services {
		for _, n := range s.Nodes {
			nodes = append(nodes, Node{Service: s.Name, ID: n.Id, Address: n.Address, Version: s.Version, Metadata: n.Metadata})
		}
	}
	return nodes, nil
}

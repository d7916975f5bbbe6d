package harm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"calotype/test/caller"
	"calotype/test/chaos/internal/plan"
)

// Registered counts the nodes that the gateway finds in the registry and that answer, by service.
func Registered(ctx context.Context, c *caller.Caller) (map[string]int, error) {
	a, err := c.Get(ctx, "/v1/nodes")
	if err != nil {
		return nil, err
	}
	if a.Status != 200 {
		return nil, fmt.Errorf("/v1/nodes: %v", a)
	}
	var found struct {
		Nodes []struct{ Service, ID, State string }
	}
	if err := json.Unmarshal(a.Body, &found); err != nil {
		return nil, err
	}
	have := map[string]int{}
	for _, n := range found.Nodes {
		if n.State == "ready" {
			have[n.Service]++
		}
	}
	return have, nil
}

// Well fails while something is amiss after a step: a container that does not run or is not healthy, a node that is not registered,
// a server of the broken service that is not a full member of its cluster again.
func (b *Breaker) Well(ctx context.Context, s plan.Step, c *caller.Caller, registered map[string]int) error {
	all, err := b.Project.Containers(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if !c.OneOff && !c.Well() {
			return fmt.Errorf("%s is %s %s", c.Name, c.Status, c.Health)
		}
	}
	have, err := Registered(ctx, c)
	if err != nil {
		return err
	}
	for service, n := range registered {
		if have[service] < n {
			return fmt.Errorf("%d nodes of %s are ready, not %d", have[service], service, n)
		}
	}
	switch s.Service {
	case "consul":
		return b.consulWhole(ctx, members(all, "consul-"))
	case "rabbitmq":
		return b.queuesWhole(ctx, members(all, "rabbitmq-"))
	case "ceph":
		return b.cephWhole(ctx)
	}
	return nil
}

func (b *Breaker) consulWhole(ctx context.Context, servers int) error {
	state, err := b.consul(ctx)
	switch {
	case err != nil:
		return err
	case !state.Healthy || len(state.Voters) != servers:
		return fmt.Errorf("Consul's servers are healthy: %v, and %d of %d vote", state.Healthy, len(state.Voters), servers)
	}
	return nil
}

func (b *Breaker) queuesWhole(ctx context.Context, nodes int) error {
	queues, err := b.queues(ctx)
	if err != nil {
		return err
	}
	if len(queues) == 0 {
		return errors.New("RabbitMQ has no queues")
	}
	for _, q := range queues {
		if q.Leader != "" && (len(q.Members) != nodes || len(q.Online) != nodes) {
			return fmt.Errorf("the queue %s has %d members of %d, of which %d are online", q.Name, len(q.Members), nodes, len(q.Online))
		}
	}
	return nil
}

// cephWhole looks at the placement groups: a warning about something else is not waited for.
func (b *Breaker) cephWhole(ctx context.Context) error {
	at, err := b.running(ctx, "ceph-mon")
	if err != nil {
		return err
	}
	out, err := b.Project.Exec(ctx, at, "ceph", "--connect-timeout", "5", "status", "--format", "json")
	if err != nil {
		return err
	}
	var status struct {
		OSDMap struct {
			Num   int `json:"num_osds"`
			NumUp int `json:"num_up_osds"`
		} `json:"osdmap"`
		PGMap struct {
			Num      int `json:"num_pgs"`
			ByStates []struct {
				Name  string `json:"state_name"`
				Count int    `json:"count"`
			} `json:"pgs_by_state"`
		} `json:"pgmap"`
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return err
	}
	if status.OSDMap.NumUp != status.OSDMap.Num {
		return fmt.Errorf("%d of Ceph's %d OSDs are up", status.OSDMap.NumUp, status.OSDMap.Num)
	}
	clean := 0
	for _, s := range status.PGMap.ByStates {
		if strings.HasPrefix(s.Name, "active+clean") {
			clean += s.Count
		}
	}
	if clean == 0 || clean != status.PGMap.Num {
		return fmt.Errorf("%d of Ceph's %d placement groups are clean", clean, status.PGMap.Num)
	}
	return nil
}

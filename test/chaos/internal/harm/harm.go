// Package harm breaks the containers of a running cluster as a plan says, puts them right, and tells when all is well again.
package harm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"calotype/test/chaos/internal/plan"
	"calotype/test/compose"
)

// Breaker breaks the containers of a project.
type Breaker struct {
	Project compose.Project
	// Roll is the command that replaces every container of Calotype's own, run in the folder Root.
	Roll []string
	Root string
	Log  func(format string, args ...any)
}

// Topology is what there is to break.
func (b *Breaker) Topology(ctx context.Context) (plan.Topology, error) {
	all, err := b.Project.Containers(ctx)
	t := plan.Topology{}
	for _, c := range all {
		if !c.OneOff {
			t[c.Service] = append(t[c.Service], c.Name)
		}
	}
	return t, err
}

// Targets are the containers that a step is about now.
func (b *Breaker) Targets(ctx context.Context, s plan.Step) ([]string, error) {
	if !s.Leader {
		return s.Targets, nil
	}
	var name string
	var err error
	switch s.Service {
	case "consul":
		name, err = b.consulLeader(ctx)
	case "rabbitmq":
		name, err = b.queueLeader(ctx)
	default:
		err = errors.New("nobody leads there")
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the leader of %s: %w", s.Service, err)
	}
	return []string{name}, nil
}

// Break begins a step on its targets and gives what puts it right.
func (b *Breaker) Break(ctx context.Context, s plan.Step, targets []string) (undo func(context.Context) error, _ error) {
	switch s.Action {
	case plan.Kill:
		return func(ctx context.Context) error { return b.Project.Start(ctx, targets...) }, b.Project.Kill(ctx, targets...)
	case plan.Pause:
		return func(ctx context.Context) error { return b.Project.Unpause(ctx, targets...) }, b.Project.Pause(ctx, targets...)
	case plan.Cut:
		return b.each(targets, b.Project.Heal), b.each(targets, b.Project.Cut)(ctx)
	case plan.Roll:
		return func(context.Context) error { return nil }, b.roll(ctx)
	}
	return nil, fmt.Errorf("%q is no way to break something", s.Action)
}

func (b *Breaker) each(targets []string, do func(context.Context, string) error) func(context.Context) error {
	return func(ctx context.Context) error {
		var errs []error
		for _, t := range targets {
			errs = append(errs, do(ctx, t))
		}
		return errors.Join(errs...)
	}
}

func (b *Breaker) roll(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, b.Roll[0], b.Roll[1:]...)
	cmd.Dir, cmd.Env = b.Root, os.Environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w:\n%s", strings.Join(b.Roll, " "), err, out[max(0, len(out)-2000):])
	}
	return nil
}

// running is a container of a service whose name begins so, which is well and not among those left out.
func (b *Breaker) running(ctx context.Context, prefix string) (string, error) {
	all, err := b.Project.Containers(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if strings.HasPrefix(c.Service, prefix) && !c.OneOff && c.Well() {
			return c.Name, nil
		}
	}
	return "", fmt.Errorf("no %s is well", prefix)
}

// named is the container of a service that there is one of.
func (b *Breaker) named(ctx context.Context, service string) (string, error) {
	of, err := b.Project.Of(ctx, service)
	if err == nil && len(of) != 1 {
		err = fmt.Errorf("there are %d containers of %s", len(of), service)
	}
	if err != nil {
		return "", err
	}
	return of[0].Name, nil
}

// queue is the one whose leader is looked for: where tasks of the usual class wait.
const queue = "calotype.tasks.normal"

func (b *Breaker) queueLeader(ctx context.Context) (string, error) {
	queues, err := b.queues(ctx)
	if err != nil {
		return "", err
	}
	for _, q := range queues {
		if q.Name == queue {
			_, host, _ := strings.Cut(q.Leader, "@")
			return b.named(ctx, host)
		}
	}
	return "", fmt.Errorf("there is no queue %s", queue)
}

// quorum is a queue and its replicas.
type quorum struct {
	Name    string   `json:"name"`
	Leader  string   `json:"leader"`
	Members []string `json:"members"`
	Online  []string `json:"online"`
}

func (b *Breaker) queues(ctx context.Context) (all []quorum, _ error) {
	at, err := b.running(ctx, "rabbitmq-")
	if err != nil {
		return nil, err
	}
	out, err := b.Project.Exec(ctx, at, "rabbitmqctl", "-q", "--formatter", "json", "list_queues", "name", "leader", "members", "online")
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal([]byte(out), &all)
}

// autopilot is what Consul tells of its servers.
type autopilot struct {
	Healthy bool
	Leader  string
	Voters  []string
	Servers map[string]struct{ Name string }
}

func (b *Breaker) consul(ctx context.Context) (state autopilot, _ error) {
	at, err := b.running(ctx, "consul-")
	if err != nil {
		return state, err
	}
	out, err := b.Project.Exec(ctx, at, "consul", "operator", "autopilot", "state", "-format=json", "-token-file=/run/secrets/consul-management-token")
	if err != nil {
		return state, err
	}
	return state, json.Unmarshal([]byte(out), &state)
}

func (b *Breaker) consulLeader(ctx context.Context) (string, error) {
	state, err := b.consul(ctx)
	if err != nil {
		return "", err
	}
	s, ok := state.Servers[state.Leader]
	if !ok {
		return "", errors.New("none leads")
	}
	return b.named(ctx, s.Name)
}

// members counts the containers of the services whose names begin so.
func members(all []compose.Container, prefix string) int {
	return len(slices.DeleteFunc(slices.Clone(all), func(c compose.Container) bool {
		return c.OneOff || !strings.HasPrefix(c.Service, prefix)
	}))
}

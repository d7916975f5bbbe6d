// Package compose sees and breaks the containers of a compose project, through docker's command line as a person would.
package compose

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Project is one compose project. Docker is the program; empty means "docker".
type Project struct {
	Name   string
	Docker string
}

// Container is one of a project's containers, as it was when it was asked for.
type Container struct {
	ID, Name string // the name without its slash
	Service  string
	Number   int
	OneOff   bool // ended by design, such as a container that sets things up
	Status   string
	Health   string // empty where it has no check
	ExitCode int
	PID      int
	Started  time.Time
	Networks map[string]Endpoint
	Ports    map[string][]Published // by "8080/tcp"
}

// Endpoint is a container's place in a network.
type Endpoint struct {
	IP, Gateway string
	Aliases     []string
}

// Published is where a port is to be had on the host.
type Published struct{ HostIP, HostPort string }

// Well reports whether it runs and, where it has a check, passes it.
func (c Container) Well() bool {
	return c.Status == "running" && (c.Health == "" || c.Health == "healthy")
}

// Run runs docker with arguments and gives what it printed. An error tells what docker said.
func (p Project) Run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, cmp.Or(p.Docker, "docker"), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

// Containers lists them all, stopped ones too, by service and number.
func (p Project) Containers(ctx context.Context) ([]Container, error) {
	ids, err := p.Run(ctx, "ps", "-aq", "--no-trunc", "--filter", "label=com.docker.compose.project="+p.Name)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(ids) == "" {
		return nil, fmt.Errorf("there are no containers of the project %q", p.Name)
	}
	out, err := p.Run(ctx, append([]string{"inspect"}, strings.Fields(ids)...)...)
	if err != nil {
		return nil, err
	}
	return parse([]byte(out))
}

// Of lists the containers of a service.
func (p Project) Of(ctx context.Context, service string) ([]Container, error) {
	all, err := p.Containers(ctx)
	return slices.DeleteFunc(all, func(c Container) bool { return c.Service != service }), err
}

// Named is one container as it is now.
func (p Project) Named(ctx context.Context, name string) (Container, error) {
	out, err := p.Run(ctx, "inspect", name)
	if err != nil {
		return Container{}, err
	}
	all, err := parse([]byte(out))
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("there are %d containers named %s", len(all), name)
	}
	if err != nil {
		return Container{}, err
	}
	return all[0], nil
}

// Exec runs a program in a container and gives what it printed.
func (p Project) Exec(ctx context.Context, container string, command ...string) (string, error) {
	return p.Run(ctx, append([]string{"exec", container}, command...)...)
}

func parse(b []byte) ([]Container, error) {
	var all []struct {
		ID    string `json:"Id"`
		Name  string
		State struct {
			Status    string
			ExitCode  int
			Pid       int
			StartedAt time.Time
			Health    *struct{ Status string }
		}
		Config          struct{ Labels map[string]string }
		HostConfig      struct{ RestartPolicy struct{ Name string } }
		NetworkSettings struct {
			Networks map[string]struct {
				IPAddress, Gateway string
				Aliases            []string
			}
			Ports map[string][]struct{ HostIP, HostPort string } `json:"Ports"`
		}
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	var errs []error
	found := make([]Container, 0, len(all))
	for _, a := range all {
		number, err := strconv.Atoi(cmp.Or(a.Config.Labels["com.docker.compose.container-number"], "1"))
		errs = append(errs, err)
		c := Container{
			ID: a.ID, Name: strings.TrimPrefix(a.Name, "/"), Service: a.Config.Labels["com.docker.compose.service"], Number: number,
			OneOff: a.HostConfig.RestartPolicy.Name == "no" || a.HostConfig.RestartPolicy.Name == "on-failure",
			Status: a.State.Status, ExitCode: a.State.ExitCode, PID: a.State.Pid, Started: a.State.StartedAt, Networks: map[string]Endpoint{}, Ports: map[string][]Published{},
		}
		if a.State.Health != nil {
			c.Health = a.State.Health.Status
		}
		for name, n := range a.NetworkSettings.Networks {
			c.Networks[name] = Endpoint{n.IPAddress, n.Gateway, n.Aliases}
		}
		for port, at := range a.NetworkSettings.Ports {
			for _, h := range at {
				c.Ports[port] = append(c.Ports[port], Published(h))
			}
		}
		found = append(found, c)
	}
	slices.SortFunc(found, func(a, b Container) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Number, b.Number))
	})
	return found, errors.Join(errs...)
}

// Host is the address at which the containers in one of the project's networks reach the host, on Linux.
func (p Project) Host(ctx context.Context, network string) (string, error) {
	out, err := p.Run(ctx, "network", "inspect", "--format", "{{range .IPAM.Config}}{{.Gateway}} {{end}}", p.Name+"_"+network)
	if err != nil {
		return "", err
	}
	if all := strings.Fields(out); len(all) > 0 {
		return all[0], nil
	}
	return "", fmt.Errorf("the network %s_%s has no address for the host", p.Name, network)
}

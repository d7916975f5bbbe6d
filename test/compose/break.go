package compose

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
)

// Kill ends containers at once, as kill -9 does. Docker does not start them again by itself.
func (p Project) Kill(ctx context.Context, containers ...string) error {
	_, err := p.Run(ctx, append([]string{"kill", "--signal", "KILL"}, containers...)...)
	return err
}

// Start starts containers that were killed.
func (p Project) Start(ctx context.Context, containers ...string) error {
	_, err := p.Run(ctx, append([]string{"start"}, containers...)...)
	return err
}

// Pause freezes containers, and Unpause lets them go on.
func (p Project) Pause(ctx context.Context, containers ...string) error {
	_, err := p.Run(ctx, append([]string{"pause"}, containers...)...)
	return err
}

// Unpause lets frozen containers go on.
func (p Project) Unpause(ctx context.Context, containers ...string) error {
	_, err := p.Run(ctx, append([]string{"unpause"}, containers...)...)
	return err
}

// chain holds the rules of a cut, so that healing removes these and no others.
const chain = "CALOTYPE-CUT"

// Cut has a container's network lose every packet, so that nobody is told: connections hang, as when a cable is out. Its address stays.
// It needs Linux, root, nsenter and iptables.
func (p Project) Cut(ctx context.Context, container string) error {
	return p.filter(ctx, container, [][]string{
		{"-N", chain}, {"-A", chain, "-j", "DROP"},
		{"-I", "INPUT", "!", "-i", "lo", "-j", chain}, {"-I", "OUTPUT", "!", "-o", "lo", "-j", chain},
	})
}

// Heal undoes Cut.
func (p Project) Heal(ctx context.Context, container string) error {
	return p.filter(ctx, container, [][]string{
		{"-D", "INPUT", "!", "-i", "lo", "-j", chain}, {"-D", "OUTPUT", "!", "-o", "lo", "-j", chain}, {"-F", chain}, {"-X", chain},
	})
}

// filter runs iptables in the container's network namespace.
func (p Project) filter(ctx context.Context, container string, rules [][]string) error {
	c, err := p.Named(ctx, container)
	if err != nil {
		return err
	}
	if c.PID == 0 {
		return fmt.Errorf("%s does not run", container)
	}
	var errs []error
	for _, rule := range rules {
		args := append([]string{"--target", strconv.Itoa(c.PID), "--net", "iptables", "--wait"}, rule...)
		if out, err := exec.CommandContext(ctx, "nsenter", args...).CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("iptables %v in %s: %w: %s", rule, container, err, out))
		}
	}
	return errors.Join(errs...)
}

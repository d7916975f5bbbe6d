package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"calotype/test/caller"
	"calotype/test/chaos/internal/harm"
	"calotype/test/chaos/internal/load"
	"calotype/test/chaos/internal/plan"
	"calotype/test/chaos/internal/report"
)

// shortest is how long a step is watched at least, so that its share of failed requests means something.
const shortest = 20 * time.Second

// director goes through a plan.
type director struct {
	breaker    *harm.Breaker
	caller     *caller.Caller
	recorder   *load.Recorder
	say        func(format string, args ...any)
	wellWithin time.Duration
}

// direct waits until all is well, then takes step after step: break, wait, put right, wait until well, rest.
func (d *director) direct(ctx context.Context, steps []plan.Step) (done []report.Done, _ error) {
	whole, err := d.whole(ctx)
	if err != nil {
		return nil, err
	}
	d.say("all is well: %v nodes; the load runs", whole)
	if err := pause(ctx, warmth); err != nil {
		return nil, err
	}
	for _, s := range steps {
		one := d.step(ctx, s, whole)
		done = append(done, one)
		failed := 0
		for _, s := range d.recorder.Since(one.Began) {
			if s.Outcome == load.Failed {
				failed++
			}
		}
		d.say("%s: well again after %.1f s, %d failed %s", s.Name, one.Healed.Sub(one.Began).Seconds(), failed, one.Err)
		if ctx.Err() != nil || one.Err != "" && d.well(context.WithoutCancel(ctx), s, whole) != nil {
			return done, errors.Join(ctx.Err(), errors.New("the rest of the plan is left out: all is not well"))
		}
	}
	return done, pause(ctx, plan.Step{}.Rest)
}

// whole counts the nodes that there are when nothing is broken.
func (d *director) whole(ctx context.Context) (whole map[string]int, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.wellWithin)
	defer cancel()
	if d.breaker.Project.Name == "" {
		return harm.Registered(ctx, d.caller)
	}
	return whole, caller.Until(ctx, time.Second, func(ctx context.Context) error {
		if whole, err = harm.Registered(ctx, d.caller); err != nil {
			return err
		}
		for _, service := range []string{"", "consul", "rabbitmq", "ceph"} {
			if err := d.breaker.Well(ctx, plan.Step{Service: service}, d.caller, whole); err != nil && !strings.Contains(err.Error(), "no ceph-mon") {
				return err
			}
		}
		return nil
	})
}

func (d *director) step(ctx context.Context, s plan.Step, whole map[string]int) report.Done {
	one := report.Done{Step: s}
	var errs []error
	var err error
	if one.Targets, err = d.breaker.Targets(ctx, s); err != nil {
		errs = append(errs, err)
	}
	d.say("%s %v", s.Name, one.Targets)
	one.Began = time.Now()
	if err == nil {
		var undo func(context.Context) error
		undo, err = d.breaker.Break(ctx, s, one.Targets)
		errs = append(errs, err, pause(ctx, s.Lasts))
		one.Undone = time.Now()
		if undo != nil { // also when the run is given up
			errs = append(errs, undo(context.WithoutCancel(ctx)))
		}
	}
	errs = append(errs, d.well(ctx, s, whole))
	one.Healed = time.Now()
	_ = pause(ctx, max(s.Rest, shortest-time.Since(one.Began))) // then the run ends
	one.Closed = time.Now()
	if err := errors.Join(errs...); err != nil {
		one.Err = err.Error()
	}
	return one
}

// well waits until everything is as it was.
func (d *director) well(ctx context.Context, s plan.Step, whole map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, d.wellWithin)
	defer cancel()
	return caller.Until(ctx, time.Second, func(ctx context.Context) error { return d.breaker.Well(ctx, s, d.caller, whole) })
}

// pause lets time pass while the load goes on.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	greeterv1 "calotype/proto/greeter/v1"
	"calotype/test/caller"
	"calotype/test/chaos/internal/harm"
	"calotype/test/chaos/internal/ledger"
	"calotype/test/chaos/internal/load"
	"calotype/test/chaos/internal/plan"
	"calotype/test/chaos/internal/report"
	"calotype/test/compose"
	"calotype/test/receiver"
)

// warmth is how long the load runs before the first fault.
const warmth = 20 * time.Second

// Run loads and breaks the cluster, and fails when a limit was broken. The report is written in any case that came so far.
func Run(ctx context.Context, cfg Config) error {
	breaker := &harm.Breaker{Project: compose.Project{Name: cfg.Project, Docker: cfg.Docker}, Roll: strings.Fields(cfg.Roll), Root: "."}
	say := teller(os.Stdout)
	steps, err := planned(ctx, cfg, breaker)
	if err != nil {
		return err
	}
	say("plan %s, seed %d:\n%s", cfg.Plan, cfg.Seed, plan.String(steps))

	conn, err := grpc.NewClient(cfg.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	hook, stop, err := listen(ctx, cfg, breaker.Project)
	if err != nil {
		return err
	}
	defer stop()
	w := &world{Caller: caller.New(cfg.URL), greeter: greeterv1.NewGreeterClient(conn), run: fmt.Sprintf("chaos-%d", time.Now().UnixMicro()), ledger: &ledger.Ledger{}}
	if err := w.prepare(ctx, hook.url); err != nil {
		return err
	}

	r := &report.Report{Plan: cfg.Plan, Seed: cfg.Seed, Began: time.Now(), PerSecond: cfg.PerSecond, TimesCount: cfg.TimesCount}
	recorder := &load.Recorder{}
	loading, end := context.WithCancel(ctx)
	defer end()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		(&load.Generator{Kinds: w.kinds(cfg.PerSecond), Fixed: cfg.Fixed, Seed: cfg.Seed, Recorder: recorder}).Run(loading)
	}()
	d := &director{breaker: breaker, caller: w.Caller, recorder: recorder, say: say, wellWithin: cfg.WellWithin}
	done, err := d.direct(ctx, steps)
	end()
	<-ended
	r.Lasted = time.Since(r.Began)
	if err != nil && len(done) == 0 {
		return err
	}
	say("looking at what became of %d uploads", len(w.ledger.Acked()))
	jobs := w.settle(ctx, r, hook.Receiver)
	r.Finish(done, append(recorder.All(), jobs...))
	file, written := r.Write(cfg.Out)
	say("%s", r.Markdown())
	say("written to %s", file)
	if len(r.Broken) > 0 {
		err = errors.Join(err, fmt.Errorf("broken:\n  %s", strings.Join(r.Broken, "\n  ")))
	}
	return errors.Join(err, written)
}

func planned(ctx context.Context, cfg Config, b *harm.Breaker) ([]plan.Step, error) {
	if cfg.Plan == "none" {
		return nil, nil
	}
	topology, err := b.Topology(ctx)
	if err != nil {
		return nil, err
	}
	var steps []plan.Step
	switch cfg.Plan {
	case "short":
		steps = plan.Short(topology, cfg.Seed)
	case "full":
		steps = plan.Full(topology, cfg.Seed)
	case "outages":
		steps = plan.Outages(topology)
	default:
		return nil, fmt.Errorf("-plan is %q, not short, full, outages or none", cfg.Plan)
	}
	if steps = plan.Matching(steps, cfg.Only); len(steps) == 0 {
		return nil, errors.New("no step is left of the plan")
	}
	return steps, nil
}

// hooks is where webhooks are sent to.
type hooks struct {
	*receiver.Receiver
	url string
}

// teller writes lines with the time that has passed.
func teller(to io.Writer) func(format string, args ...any) {
	began := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(to, "%6.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
}

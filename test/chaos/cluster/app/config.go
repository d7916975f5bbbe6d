// Package app is the chaos program: it loads a running cluster, breaks its parts as a plan says, and compares what was acknowledged with
// what became of it.
package app

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// Config says what is loaded and broken, and how.
type Config struct {
	Plan       string
	Only       []string
	Seed       uint64
	PerSecond  float64
	Fixed      bool
	URL        string
	GRPC       string
	Project    string
	Docker     string
	Secrets    string // the file of the webhooks' secrets
	Out        string
	Roll       string
	TimesCount bool
	WellWithin time.Duration
}

// Flags reads the command line; defaults come from the same E2E_* variables as those of test/e2e/cluster.
func Flags(args []string) (Config, error) {
	var cfg Config
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.StringVar(&cfg.Plan, "plan", "full", "full, short, outages, or none, which only loads")
	short := f.Bool("short", false, "the same as -plan short")
	only := f.String("only", "", "of the plan, only steps whose names hold one of these words, parted by commas")
	f.Uint64Var(&cfg.Seed, "seed", 0, "repeats a run's plan and load; 0 draws one")
	f.Float64Var(&cfg.PerSecond, "rate", 0, "requests a second, all kinds together; 0 is what two busy cores can do: 30, and 15 of the short plan, which runs for every change")
	f.BoolVar(&cfg.Fixed, "fixed", false, "at even beats, and not at random moments")
	f.StringVar(&cfg.URL, "url", env("E2E_URL", "http://127.0.0.1:8080"), "the cluster's address")
	f.StringVar(&cfg.GRPC, "grpc", env("E2E_GRPC", "127.0.0.1:8081"), "its address for gRPC")
	f.StringVar(&cfg.Project, "project", env("E2E_PROJECT", "calotype"), "the compose project; none breaks nothing")
	f.StringVar(&cfg.Docker, "docker", env("E2E_DOCKER", "docker"), "docker's program")
	f.StringVar(&cfg.Secrets, "webhook-secrets", env("E2E_WEBHOOK_SECRETS", "deploy/secrets/webhook-secrets"), "the file of the secrets that webhooks are signed with; empty asks for no webhooks")
	f.StringVar(&cfg.Out, "out", "dist/chaos", "the folder of the report")
	f.StringVar(&cfg.Roll, "roll", "make roll", "the command that replaces every container of Calotype's own")
	times := f.String("times", "", "whether times that are not kept break the run: yes or no; by default they do in all plans but short")
	f.DurationVar(&cfg.WellWithin, "well-within", 3*time.Minute, "how long a part may take until it is well again")
	if err := f.Parse(args); err != nil {
		return cfg, err
	}
	if *short {
		cfg.Plan = "short"
	}
	for w := range strings.SplitSeq(*only, ",") {
		if w = strings.TrimSpace(w); w != "" {
			cfg.Only = append(cfg.Only, w)
		}
	}
	if cfg.Seed == 0 {
		cfg.Seed = uint64(time.Now().UnixNano())
	}
	switch *times {
	case "":
		cfg.TimesCount = cfg.Plan != "short"
	case "yes", "no":
		cfg.TimesCount = *times == "yes"
	default:
		return cfg, fmt.Errorf("-times is %q, not yes or no", *times)
	}
	if f.NArg() > 0 || cfg.PerSecond < 0 {
		return cfg, errors.New("there are no arguments but flags, and -rate is not below 0")
	}
	if cfg.PerSecond == 0 {
		cfg.PerSecond = map[bool]float64{false: 30, true: 15}[cfg.Plan == "short"]
	}
	return cfg, nil
}

func env(name, otherwise string) string { return cmp.Or(os.Getenv(name), otherwise) }

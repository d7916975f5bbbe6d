package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"calotype/kit/config"
	"calotype/kit/fault"
)

// EnvPrefix begins every variable that is a setting.
const EnvPrefix = "CALOTYPE_"

// OtherVariables begin with the prefix and are no settings: a person who uses the command line may have them set for everything.
func OtherVariables() []string {
	return []string{EnvPrefix + "CONFIG", EnvPrefix + "SERVER", EnvPrefix + "TOOLS"}
}

// errVersion ends a process that was only asked what it is.
var errVersion = errors.New("version")

// Configure fills cfg, which holds the defaults, from --config FILE (or CALOTYPE_CONFIG), the environment and the flags in args.
// It answers --help, --version and --check itself, by an error that Main takes for success.
func Configure(name string, cfg any, args []string) error {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SortFlags = false
	file := fs.String("config", os.Getenv(EnvPrefix+"CONFIG"), "a YAML file of settings")
	version := fs.Bool("version", false, "tell the version and the commit, and end")
	asks := fs.Bool("check", false, "ask the process that runs here with these settings whether it is ready, and end")
	config.AddFlags(fs, cfg)
	fs.Usage = func() {
		fmt.Printf("Usage: %s [flags]\n\nEvery flag can be a key of the file, or a variable: --log.level is log.level and %sLOG__LEVEL.\n\n%s",
			name, EnvPrefix, fs.FlagUsagesWrapped(120))
	}
	// A flag that nobody knows is a fault among the others, not the end of looking.
	fs.ParseErrorsAllowlist.UnknownFlags = true
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return fault.New(fault.Invalid, "BAD_CONFIG", "%v", err)
	}
	if *version {
		v, c := Build()
		fmt.Println(name, v, c)
		return errVersion
	}
	if fs.NArg() > 0 {
		return fault.New(fault.Invalid, "BAD_CONFIG", "takes flags only, not %q", fs.Arg(0))
	}
	err := config.Load(cfg, config.Sources{
		File: *file, EnvPrefix: EnvPrefix, Env: os.Environ(), EnvIgnore: OtherVariables(), Flags: fs,
	})
	unknown := unknownFlags(fs, args)
	if f := fault.As(err); f != nil {
		f.Fields = append(f.Fields, unknown...)
		return f
	}
	if err == nil && len(unknown) > 0 {
		f := fault.New(fault.Invalid, "BAD_CONFIG", "the configuration is wrong")
		f.Fields = unknown
		return f
	}
	if err == nil && *asks {
		return check(cfg)
	}
	return err
}

func unknownFlags(fs *pflag.FlagSet, args []string) []fault.Field {
	var names []string
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	var out []fault.Field
	for _, arg := range args {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(arg, "=")
		name, long := strings.CutPrefix(name, "--")
		if !long || name == "help" || fs.Lookup(name) != nil {
			continue
		}
		m := "no such flag"
		if s := config.Nearest(name, names); s != "" {
			m += "; did you mean --" + s + "?"
		}
		out = append(out, fault.Field{Path: "--" + name, Message: m})
	}
	return out
}

// Main runs a process until it is done or told to leave; see Signals. Exit codes: 0 for an orderly end, 1 for a failure, 2 for a wrong
// configuration.
func Main(name string, run func(ctx context.Context, args []string) error) {
	os.Exit(exitCode(name, run(Signals(name), os.Args[1:])))
}

// MainOf is the main function of a service that has a process to itself: configured, opened in a host, and run until it is told to
// leave. A configuration embeds Config, and so has Common.
func MainOf[C interface{ Common() Config }, A Runner](name string, cfg C, open func(C, *Host) (A, error)) {
	Main(name, func(ctx context.Context, args []string) (err error) {
		if err := Configure(name, &cfg, args); err != nil {
			return err
		}
		host, err := NewHost(name, cfg.Common())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, host.Close()) }()
		a, err := open(cfg, host)
		if err != nil {
			return err
		}
		return a.Run(ctx)
	})
}

// echo is how long a second signal is taken for the first one's echo: timeout(1) and a terminal's Ctrl-C under make send two.
const echo = time.Second

// Signals gives a context that the first SIGINT or SIGTERM ends. A second one, more than a second later, ends the process at once.
func Signals(name string) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		told := time.Now()
		cancel()
		for range signals {
			if time.Since(told) > echo {
				fmt.Fprintln(os.Stderr, name+": told twice, ending at once")
				os.Exit(130)
			}
		}
	}()
	return ctx
}

func exitCode(name string, err error) int {
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp), errors.Is(err, errVersion), errors.Is(err, errChecked):
		return 0
	case fault.ReasonOf(err) == "BAD_CONFIG":
		f := fault.As(err)
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, f.Message)
		for _, field := range f.Fields {
			fmt.Fprintf(os.Stderr, "  %s: %s\n", field.Path, field.Message)
		}
		return 2
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	return 1
}

// Runner is anything that runs until its context ends.
type Runner interface{ Run(context.Context) error }

// RunAll starts runners in order, each once the one before is ready (where it has a Ready channel), and stops them in reverse order,
// each once the one after has ended: whoever depends on another leaves first. The first that ends takes the others along.
func RunAll(ctx context.Context, runners ...Runner) error {
	up := make([]*running, 0, len(runners))
	over := make(chan struct{}, len(runners))
	all := true
	for _, r := range runners {
		one := start(r, over)
		up = append(up, one)
		if all = one.wait(ctx, over); !all {
			break
		}
	}
	if all {
		select {
		case <-ctx.Done():
		case <-over:
		}
	}
	var errs []error
	for i := len(up) - 1; i >= 0; i-- {
		up[i].cancel()
		errs = append(errs, <-up[i].err)
	}
	return errors.Join(errs...)
}

type running struct {
	cancel context.CancelFunc
	ready  <-chan struct{}
	err    chan error
}

func start(r Runner, over chan<- struct{}) *running {
	// Not a child of RunAll's context: whoever comes first leaves last.
	ctx, cancel := context.WithCancel(context.Background())
	one := &running{cancel: cancel, err: make(chan error, 1)}
	if w, ok := r.(interface{ Ready() <-chan struct{} }); ok {
		one.ready = w.Ready()
	}
	go func() {
		err := r.Run(ctx)
		one.err <- err
		over <- struct{}{}
	}()
	return one
}

// wait reports whether the next one may start.
func (r *running) wait(ctx context.Context, over chan struct{}) bool {
	if r.ready == nil {
		return ctx.Err() == nil
	}
	select {
	case <-r.ready:
		return true
	case <-ctx.Done():
	case <-over:
	}
	return false
}

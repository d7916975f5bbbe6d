// Package command is the calotype command line: what each subcommand is called, takes, prints and exits with.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"calotype/cmd/calotype/internal/rest"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // something was refused, or a job did not succeed
	exitUsage       = 2 // the command line is wrong
	exitUnreachable = 3 // no server answers
	exitInterrupted = 130
)

// env is what commands share: where they write, and the flags that all of them take.
type env struct {
	out, err io.Writer
	server   string
	json     bool
}

func (e *env) client() (*rest.Client, error) {
	c, err := rest.New(e.server, version())
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// usageError marks what is wrong with the command line itself.
type usageError struct{ error }

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, args []string, out, errOut io.Writer) int {
	e := &env{out: out, err: errOut}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	return exitCode(ctx, errOut, root.ExecuteContext(ctx))
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "calotype",
		Short: "One original in, every size and format out",
		Long: "Calotype stores photographs, makes every size and format of them, and loses nothing while nodes die.\n\n" +
			"`calotype up` runs the whole suite in this process; the other commands talk to a running one.\n\n" +
			"Exit codes: 0 all went well, 1 something was refused or failed, 2 the command line is wrong, 3 no server answers.",
		Version:                    version(),
		SilenceUsage:               true,
		SilenceErrors:              true,
		Args:                       knownCommand,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	server := os.Getenv("CALOTYPE_SERVER")
	if server == "" {
		server = "http://127.0.0.1:8080"
	}
	root.PersistentFlags().StringVarP(&e.server, "server", "s", server, "address of the gateway (CALOTYPE_SERVER)")
	root.PersistentFlags().BoolVar(&e.json, "json", false, "print JSON, one document a line")
	root.AddCommand(newUp(e), newSettings(e), newUpload(e), newGet(e), newSign(e), newJobs(e), newJob(e), newBatch(e), newWebhooks(e), newNodes(e), newLive(e), newDoctor(e))
	return root
}

// exitCode tells a person what went wrong, once, and the shell by number.
func exitCode(ctx context.Context, w io.Writer, err error) int {
	var usage usageError
	var told reported
	interrupted := ctx.Err() != nil && errors.Is(err, context.Canceled)
	switch {
	case err == nil:
		return exitOK
	case interrupted:
		fmt.Fprintln(w, "interrupted")
	case errors.As(err, &usage):
		fmt.Fprintf(w, "calotype: %v\nSee calotype --help.\n", err)
	case !errors.As(err, &told):
		fmt.Fprintf(w, "calotype: %v\n", err)
	}
	switch {
	case interrupted:
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, rest.ErrUnreachable):
		return exitUnreachable
	}
	return exitFailed
}

// reported is a failure that has been told already.
type reported struct{ error }

func (r reported) Unwrap() error { return r.error }

// knownCommand refuses what is left when no command was found, and says what may have been meant.
func knownCommand(root *cobra.Command, a []string) error {
	if len(a) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", a[0])
	if near := root.SuggestionsFor(a[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return usageError{errors.New(text)}
}

// args wraps cobra's argument checks so that what they find exits as wrong usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return usageError{err}
		}
		return nil
	}
}

package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"calotype/cmd/calotype/internal/rest"
	imagev1 "calotype/proto/image/v1"
)

func newJobs(e *env) *cobra.Command {
	var f rest.Filter
	var limit int
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List jobs, the newest first, or queue ended ones again",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := e.filtering(&f)
			if err != nil {
				return err
			}
			jobs, err := c.Jobs(cmd.Context(), limit, f)
			if err != nil {
				return err
			}
			return e.printJobs(jobs)
		},
	}
	cmd.Flags().StringVar(&f.State, "state", "", "only jobs in this state: scheduled, queued, running, succeeded, failed, cancelled, dead")
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "how many at most")
	filterFlags(cmd.Flags(), &f)
	cmd.AddCommand(newRedrive(e))
	return cmd
}

func newRedrive(e *env) *cobra.Command {
	var f rest.Filter
	var limit int
	cmd := &cobra.Command{
		Use:     "redrive",
		Short:   "Queue again the jobs that ended without success, the newest first",
		Example: "  calotype jobs redrive --state failed --reason STORAGE_UNAVAILABLE --tenant shop",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 1000 {
				return usageError{fmt.Errorf("--limit is %d; 1 to 1000 are queued again at once", limit)}
			}
			c, err := e.filtering(&f)
			if err != nil {
				return err
			}
			done, err := c.Redrive(cmd.Context(), limit, f)
			if err != nil {
				return err
			}
			if e.json {
				return e.print(done)
			}
			fmt.Fprintf(e.out, "%d jobs queued again", done.GetRedriven())
			if done.GetRemaining() {
				fmt.Fprint(e.out, "; more are left, run it again")
			}
			fmt.Fprintln(e.out)
			return nil
		},
	}
	cmd.Flags().StringVar(&f.State, "state", "dead", "which jobs: failed, cancelled or dead")
	cmd.Flags().IntVarP(&limit, "limit", "n", 1000, "how many at most")
	filterFlags(cmd.Flags(), &f)
	return cmd
}

func filterFlags(flags *pflag.FlagSet, f *rest.Filter) {
	flags.StringVar(&f.Image, "image", "", "only the jobs of this image")
	flags.StringVar(&f.Batch, "batch", "", "only the jobs of this batch")
	flags.StringVar(&f.Tenant, "tenant", "", "only the jobs of this tenant")
	flags.StringVar(&f.Reason, "reason", "", "only jobs that failed for this reason, for example BROKEN_IMAGE")
}

// filtering checks the state that a filter names, and connects.
func (e *env) filtering(f *rest.Filter) (*rest.Client, error) {
	upper := strings.ToUpper(f.State)
	if upper != "" && imagev1.Job_State_value[upper] == 0 {
		return nil, usageError{fmt.Errorf("--state %q is none of scheduled, queued, running, succeeded, failed, cancelled, dead", f.State)}
	}
	f.State = upper
	return e.client()
}

func (e *env) printJobs(jobs []*imagev1.Job) error {
	if e.json {
		for _, j := range jobs {
			if err := e.print(j); err != nil {
				return err
			}
		}
		return nil
	}
	return e.table("JOB\tSTATE\tIMAGE\tPRESET\tATTEMPTS\tTOOK\tCREATED", func(row func(...any)) {
		for _, j := range jobs {
			row(j.Id, word(j.State), j.ImageId, orDash(j.Preset), j.Attempts, took(j), age(j.CreateTime))
		}
	})
}

func newJob(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job JOB",
		Short: "Show a job, or watch, cancel or retry it",
		Args:  args(cobra.ExactArgs(1)),
		RunE:  e.onJob((*rest.Client).Job),
	}
	cmd.AddCommand(
		&cobra.Command{Use: "cancel JOB", Short: "End a job that has not ended", Args: args(cobra.ExactArgs(1)), RunE: e.onJob((*rest.Client).Cancel)},
		&cobra.Command{Use: "retry JOB", Short: "Queue an ended job again", Args: args(cobra.ExactArgs(1)), RunE: e.onJob((*rest.Client).Retry)},
		&cobra.Command{Use: "watch JOB", Short: "Print what happens to a job until it has ended; exits 1 unless it succeeded",
			Args: args(cobra.ExactArgs(1)), RunE: e.watch},
	)
	return cmd
}

// onJob makes a command of one call that answers a job.
func (e *env) onJob(call func(*rest.Client, context.Context, string) (*imagev1.Job, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, a []string) error {
		c, err := e.client()
		if err != nil {
			return err
		}
		j, err := call(c, cmd.Context(), a[0])
		if err != nil {
			return err
		}
		return e.printJob(c, j)
	}
}

func (e *env) watch(cmd *cobra.Command, a []string) error {
	c, err := e.client()
	if err != nil {
		return err
	}
	j, err := c.Watch(cmd.Context(), a[0], func(ev *imagev1.JobEvent) {
		if e.json {
			_ = e.print(ev)
			return
		}
		text := fmt.Sprintf("%s  %-9s  attempt %d  %s %s %s", ev.Time.AsTime().Local().Format("15:04:05.000"), word(ev.State), ev.Attempt, ev.Node,
			progress(ev.GetProgress()), why(ev.Failure))
		fmt.Fprintln(e.out, strings.TrimRight(text, " "))
	})
	if err != nil {
		return err
	}
	if j.State != imagev1.Job_SUCCEEDED {
		return fmt.Errorf("%s %s: %s", j.Id, word(j.State), why(j.Failure))
	}
	return nil
}

func (e *env) printJob(c *rest.Client, j *imagev1.Job) error {
	if e.json {
		return e.print(j)
	}
	err := e.table("JOB\t"+j.Id, func(row func(...any)) {
		row("state", word(j.State))
		row("image", j.ImageId)
		row("preset", orDash(j.Preset))
		if j.GetState() == imagev1.Job_RUNNING {
			row("progress", progress(j.GetProgress()))
		}
		if b := j.GetBatchId(); b != "" {
			row("batch", b)
		}
		row("attempts", j.Attempts)
		row("node", orDash(j.Node))
		row("created", age(j.CreateTime))
		row("took", took(j))
		if j.Failure != nil {
			row("failure", why(j.Failure))
		}
	})
	if err != nil || len(j.Results) == 0 {
		return err
	}
	fmt.Fprintln(e.out)
	return e.table("VARIANT\tPIXELS\tFORMAT\tSIZE\tURL", func(row func(...any)) {
		for _, r := range j.Results {
			row(r.Name, fmt.Sprintf("%dx%d", r.Width, r.Height), r.Format, size(r.Size), c.URL(rest.VariantPath(j.ImageId, r.Name)))
		}
	})
}

// progress is "" before there is any.
func progress(p *imagev1.Progress) string {
	if p.GetPhase() == "" {
		return ""
	}
	return fmt.Sprintf("%d%% %s", p.GetPercent(), p.GetPhase())
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

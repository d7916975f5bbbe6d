package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"calotype/cmd/calotype/internal/rest"
	imagev1 "calotype/proto/image/v1"
)

func newJobs(e *env) *cobra.Command {
	var image, state string
	var limit int
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List jobs, the newest first",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, known := imagev1.Job_State_value[strings.ToUpper(state)]; state != "" && !known {
				return usageError{fmt.Errorf("--state %q is none of queued, running, succeeded, failed, cancelled, dead", state)}
			}
			c, err := e.client()
			if err != nil {
				return err
			}
			jobs, err := c.Jobs(cmd.Context(), limit, image, strings.ToUpper(state))
			if err != nil {
				return err
			}
			return e.printJobs(jobs)
		},
	}
	f := cmd.Flags()
	f.StringVar(&image, "image", "", "only the jobs of this image")
	f.StringVar(&state, "state", "", "only jobs in this state: queued, running, succeeded, failed, cancelled, dead")
	f.IntVarP(&limit, "limit", "n", 20, "how many at most")
	return cmd
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
		fmt.Fprintf(e.out, "%s  %-9s  attempt %d  %s %s\n", ev.Time.AsTime().Local().Format("15:04:05.000"), word(ev.State), ev.Attempt, ev.Node, why(ev.Failure))
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

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

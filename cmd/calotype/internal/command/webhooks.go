package command

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	imagev1 "calotype/proto/image/v1"
)

func newWebhooks(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "List the webhooks that tell jobs' ends, show one, or send them again",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var job, state string
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List webhooks, those of the newest jobs first", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, known := imagev1.Webhook_State_value[strings.ToUpper(state)]; state != "" && !known {
				return usageError{fmt.Errorf("--state %q is none of pending, delivered, failed", state)}
			}
			c, err := e.client()
			if err != nil {
				return err
			}
			found, err := c.Webhooks(cmd.Context(), limit, job, strings.ToUpper(state))
			if err != nil {
				return err
			}
			return e.printWebhooks(found)
		},
	}
	list.Flags().StringVar(&job, "job", "", "only the webhooks of this job")
	list.Flags().StringVar(&state, "state", "", "only webhooks in this state: pending, delivered, failed")
	list.Flags().IntVarP(&limit, "limit", "n", 20, "how many at most")
	cmd.AddCommand(list,
		&cobra.Command{Use: "show WEBHOOK", Short: "Print a webhook and the body that is sent", Args: args(cobra.ExactArgs(1)), RunE: e.showWebhook},
		&cobra.Command{Use: "replay WEBHOOK...", Short: "Send webhooks again, under the same identifiers, whatever became of them",
			Args: args(cobra.MinimumNArgs(1)), RunE: e.replay},
	)
	return cmd
}

func (e *env) showWebhook(cmd *cobra.Command, a []string) error {
	c, err := e.client()
	if err != nil {
		return err
	}
	w, err := c.Webhook(cmd.Context(), a[0])
	if err != nil {
		return err
	}
	if e.json {
		return e.print(w)
	}
	err = e.table("WEBHOOK\t"+w.Id, func(row func(...any)) {
		row("job", w.JobId)
		row("url", w.Url)
		row("state", strings.ToLower(w.State.String()))
		row("attempts", w.Attempts)
		row("answer", orDash(w.Answer))
		row("made", age(w.CreateTime))
		if w.NextAttemptTime != nil {
			row("due", w.NextAttemptTime.AsTime().Local().Format("2006-01-02 15:04:05"))
		}
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "\n%s\n", w.Payload)
	return err
}

// replay goes on after one that cannot be sent again, and tells of all.
func (e *env) replay(cmd *cobra.Command, a []string) error {
	c, err := e.client()
	if err != nil {
		return err
	}
	var again []*imagev1.Webhook
	var errs []error
	for _, id := range a {
		w, err := c.Replay(cmd.Context(), id)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		again = append(again, w)
	}
	if len(again) > 0 {
		errs = append(errs, e.printWebhooks(again))
	}
	return errors.Join(errs...)
}

func (e *env) printWebhooks(all []*imagev1.Webhook) error {
	if e.json {
		for _, w := range all {
			if err := e.print(w); err != nil {
				return err
			}
		}
		return nil
	}
	return e.table("WEBHOOK\tSTATE\tATTEMPTS\tHOST\tANSWER\tMADE", func(row func(...any)) {
		for _, w := range all {
			host := "-"
			if u, err := url.Parse(w.Url); err == nil {
				host = u.Host
			}
			row(w.Id, strings.ToLower(w.State.String()), w.Attempts, host, orDash(w.Answer), age(w.CreateTime))
		}
	})
}

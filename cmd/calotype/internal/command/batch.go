package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"calotype/cmd/calotype/internal/rest"
	imagev1 "calotype/proto/image/v1"
)

func newBatch(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "batch BATCH",
		Short: "Show a batch of jobs, or begin, watch or cancel one",
		Args:  args(cobra.ExactArgs(1)),
		RunE:  e.onBatch((*rest.Client).Batch),
	}
	cmd.AddCommand(
		newBatchCreate(e),
		&cobra.Command{Use: "cancel BATCH", Short: "End those of its jobs that have not ended", Args: args(cobra.ExactArgs(1)), RunE: e.onBatch((*rest.Client).CancelBatch)},
		&cobra.Command{Use: "watch BATCH", Short: "Print how far a batch is until it is done; exits 1 unless every job succeeded",
			Args: args(cobra.ExactArgs(1)), RunE: e.watchBatch},
	)
	return cmd
}

func newBatchCreate(e *env) *cobra.Command {
	req := &imagev1.CreateBatchRequest{Options: &imagev1.JobOptions{}}
	var priority string
	cmd := &cobra.Command{
		Use:     "create IMAGE...",
		Short:   "Begin a job on each of up to 1000 images",
		Example: "  calotype batch create img_01JC img_01JD --preset web --priority bulk",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, images []string) error {
			p := imagev1.Job_Priority_value[strings.ToUpper(priority)]
			if priority != "" && p == 0 {
				return usageError{fmt.Errorf("--priority %q is none of interactive, normal, bulk", priority)}
			}
			req.ImageIds, req.Options.Priority = images, imagev1.Job_Priority(p)
			c, err := e.client()
			if err != nil {
				return err
			}
			b, err := c.CreateBatch(cmd.Context(), req)
			if err != nil {
				return err
			}
			return e.printBatch(b)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&req.Preset, "preset", "p", "", "preset to run")
	f.StringArrayVar(&req.Variants, "variant", nil, "a variant to make, NAME:OPTIONS in the URL grammar; may be repeated")
	f.StringVar(&priority, "priority", "", "interactive, normal or bulk")
	f.StringVar(&req.Options.Tenant, "tenant", "", "whose work it is; tenants take turns")
	f.Int32Var(&req.Options.MaxAttempts, "max-attempts", 0, "how often a job is tried while what fails may pass, 1 to 100")
	f.Func("not-before", "when to begin, in RFC 3339, for example 2026-05-04T03:02:01Z", func(value string) error {
		at, err := time.Parse(time.RFC3339, value)
		req.Options.NotBefore = timestamppb.New(at)
		return err
	})
	f.Func("ttl", "how long the jobs and their results are kept, for example 72h", func(value string) error {
		d, err := time.ParseDuration(value)
		req.Options.Ttl = durationpb.New(d)
		return err
	})
	f.StringVar(&req.Options.WebhookUrl, "webhook", "", "a URL that is told of the end of each job")
	return cmd
}

// onBatch makes a command of one call that answers a batch.
func (e *env) onBatch(call func(*rest.Client, context.Context, string) (*imagev1.Batch, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, a []string) error {
		c, err := e.client()
		if err != nil {
			return err
		}
		b, err := call(c, cmd.Context(), a[0])
		if err != nil {
			return err
		}
		return e.printBatch(b)
	}
}

func (e *env) watchBatch(cmd *cobra.Command, a []string) error {
	c, err := e.client()
	if err != nil {
		return err
	}
	last := int32(-1)
	b, err := c.WatchBatch(cmd.Context(), a[0], func(b *imagev1.Batch) {
		switch {
		case b.GetPercent() == last && !b.GetDone(): // a line for each step forward
		case e.json:
			_ = e.print(b)
		default:
			fmt.Fprintf(e.out, "%3d%%  %s\n", b.GetPercent(), counts(b))
		}
		last = b.GetPercent()
	})
	if err != nil {
		return err
	}
	succeeded, left := int32(0), int32(0)
	for _, n := range b.GetCounts() {
		if left += n.GetCount(); n.GetState() == imagev1.Job_SUCCEEDED {
			succeeded += n.GetCount()
		}
	}
	if succeeded == b.GetTotal() {
		return nil
	}
	text := fmt.Sprintf("%s: %s of %d", b.GetId(), counts(b), b.GetTotal())
	if gone := b.GetTotal() - left; gone > 0 {
		text += fmt.Sprintf("; %d went with their images", gone)
	}
	return errors.New(text)
}

func (e *env) printBatch(b *imagev1.Batch) error {
	if e.json {
		return e.print(b)
	}
	return e.table("BATCH\t"+b.GetId(), func(row func(...any)) {
		row("jobs", b.GetTotal())
		row("progress", fmt.Sprintf("%d%%", b.GetPercent()))
		row("states", orDash(counts(b)))
		row("created", age(b.GetCreateTime()))
	})
}

func counts(b *imagev1.Batch) string {
	var all []string
	for _, n := range b.GetCounts() {
		all = append(all, fmt.Sprintf("%d %s", n.GetCount(), word(n.GetState())))
	}
	return strings.Join(all, ", ")
}

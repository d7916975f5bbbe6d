package command

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"calotype/cmd/calotype/internal/rest"
	imagev1 "calotype/proto/image/v1"
)

// upload is one run of the command.
type upload struct {
	*env
	client   *rest.Client
	preset   string
	variants []string
	options  url.Values
	wait     bool
	out      string
	parallel int
	screen   *screen
}

func newUpload(e *env) *cobra.Command {
	u := &upload{env: e}
	cmd := &cobra.Command{
		Use:   "upload FILE...",
		Short: "Send photographs, and have variants made of them",
		Example: "  calotype upload holiday/*.jpg --preset web --wait -o prints\n" +
			"  calotype upload cat.jpg --variant small:w_320,f_webp --variant square:w_256,h_256,c_fill,g_auto",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error { return u.run(cmd.Context(), files) },
	}
	f := cmd.Flags()
	f.StringVarP(&u.preset, "preset", "p", "", "preset to run: thumb, card, web, hero, or one of the server's own")
	f.StringArrayVar(&u.variants, "variant", nil, "a variant to make, NAME:OPTIONS in the URL grammar; may be repeated")
	u.options = url.Values{}
	for _, o := range []struct{ flag, parameter, usage string }{
		{"priority", "priority", "how urgent it is: interactive, normal or bulk"},
		{"tenant", "tenant", "whose work it is; tenants take turns"},
		{"webhook", "webhook_url", "a URL that is told of the job's end"},
		{"not-before", "not_before", "when to begin, in RFC 3339, for example 2026-05-04T03:02:01Z"},
		{"ttl", "ttl", "how long the job and its results are kept, for example 72h"},
		{"max-attempts", "max_attempts", "how often it is tried while what fails may pass, 1 to 100"},
		{"image-ttl", "image_ttl", "how long the image is kept with everything made from it, for example 720h"},
	} {
		f.Func(o.flag, o.usage, func(value string) error {
			u.options.Set(o.parameter, value)
			return nil
		})
	}
	f.BoolFunc("unique", "while the same is being made of the same photograph, take that job for the answer", func(value string) error {
		u.options.Set("unique", value)
		return nil
	})
	f.BoolVarP(&u.wait, "wait", "w", false, "wait until the variants are made")
	f.StringVarP(&u.out, "output", "o", "", "folder to download the variants to, as NAME-VARIANT.EXT; implies --wait")
	f.IntVar(&u.parallel, "parallel", 4, "how many files to send at once")
	return cmd
}

func (u *upload) run(ctx context.Context, files []string) error {
	if u.parallel < 1 {
		return usageError{fmt.Errorf("--parallel is %d; at least 1 is needed", u.parallel)}
	}
	wanted := u.preset != "" || len(u.variants) > 0
	if (u.wait || u.out != "") && !wanted {
		return usageError{fmt.Errorf("--wait and -o need --preset or --variant: without one, nothing is made")}
	}
	u.wait = u.wait || u.out != ""
	if u.out != "" {
		if err := distinct(files); err != nil {
			return err
		}
	}
	var err error
	if u.client, err = u.env.client(); err != nil {
		return err
	}
	u.screen = newScreen(u.env, files)
	var g errgroup.Group
	g.SetLimit(u.parallel)
	failures := make([]error, len(files))
	for i, file := range files {
		g.Go(func() error {
			failures[i] = u.one(ctx, file)
			return nil
		})
	}
	_ = g.Wait()
	u.screen.close()
	return u.sum(ctx, failures)
}

// one takes a file all the way.
func (u *upload) one(ctx context.Context, file string) error {
	line := u.screen.line(file)
	made, err := u.client.Upload(ctx, rest.Upload{Path: file, Preset: u.preset, Variants: u.variants, Options: u.options, Progress: line.progress})
	if err != nil {
		line.failed(err)
		return err
	}
	if !u.wait || made.Job == nil {
		line.done(made)
		return nil
	}
	line.state("queued")
	if made.Job, err = u.client.Watch(ctx, made.Job.Id, func(ev *imagev1.JobEvent) {
		line.state(strings.TrimSpace(word(ev.State) + " " + progress(ev.GetProgress())))
	}); err == nil && made.Job.State != imagev1.Job_SUCCEEDED {
		err = fmt.Errorf("%s %s: %s", made.Job.Id, word(made.Job.State), why(made.Job.Failure))
	}
	if err == nil && u.out != "" {
		line.state("downloading")
		err = u.download(ctx, file, made)
	}
	if err != nil {
		line.failed(err)
		return err
	}
	line.done(made)
	return nil
}

func (u *upload) download(ctx context.Context, file string, made *imagev1.CreateImageResponse) error {
	for _, r := range made.Job.Results {
		to := filepath.Join(u.out, stem(file)+"-"+r.Name+"."+extension(r.Format))
		if _, err := u.client.Download(ctx, rest.VariantPath(made.Image.Id, r.Name), to, r.Digest); err != nil {
			return fmt.Errorf("downloading variant %q: %w", r.Name, err)
		}
	}
	return nil
}

// sum decides how the command ends; each failure has been told beside its file.
func (u *upload) sum(ctx context.Context, failures []error) error {
	var first error
	failed := 0
	for _, err := range failures {
		if err != nil {
			failed++
			first = cmp.Or(first, err)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed > 0 && len(failures) > 1 {
		fmt.Fprintf(u.err, "%d of %d files failed\n", failed, len(failures))
	}
	if failed > 0 {
		return reported{first}
	}
	return nil
}

// distinct refuses files whose results would overwrite each other.
func distinct(files []string) error {
	seen := map[string]string{}
	for _, f := range files {
		if other, twice := seen[stem(f)]; twice {
			return usageError{fmt.Errorf("%s and %s would both be written as %s-VARIANT; upload them into different folders", other, f, stem(f))}
		}
		seen[stem(f)] = f
	}
	return nil
}

func stem(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

func extension(format string) string {
	if format == "jpeg" {
		return "jpg"
	}
	return format
}
